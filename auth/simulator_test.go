package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/google/go-cmp/cmp"
)

func tenant(t *testing.T, o simulator.Options) *simulator.Simulator {
	t.Helper()
	c, err := simulator.Load(strings.NewReader(`
[[user]]
email = "batch@example.com"
password = "s3cret"

[[workspace]]
name = "Finance"

[[workspace.model]]
name = "Hub"
`))
	if err != nil {
		t.Fatal(err)
	}
	return simulator.New(c, o)
}

// connect returns a client of the tenant, and what ends it: that checks that nothing was used wrongly.
func connect(t *testing.T, sim *simulator.Simulator, login Login) (*http.Client, *Source, func()) {
	base := sim.Transport()
	s := NewSource(SourceOptions{Login: login, Client: &http.Client{Transport: base}, Base: "https://auth.anaplan.com"})
	c := &http.Client{Transport: &Transport{Source: s, Base: base, Hosts: []string{"https://api.anaplan.com"}}}
	return c, s, func() {
		if err := s.Logout(t.Context()); err != nil {
			t.Error(err)
		}
		for _, m := range sim.Misuse() {
			t.Error("misuse:", m)
		}
		sim.Close()
	}
}

// counts of the paths asked for, with status.
func counts(sim *simulator.Simulator) map[string]int {
	n := map[string]int{}
	for _, r := range sim.Requests() {
		n[fmt.Sprintf("%s %d", r.Path, r.Status)]++
	}
	return n
}

func TestTheSimulatorAcceptsEveryLogin(t *testing.T) {
	for name, login := range map[string]Login{
		"v2 pem": Certificate{Identity: testIdentity(), Message: V2, Header: HeaderPEM},
		"v2 der": Certificate{Identity: testIdentity(), Message: V2, Header: HeaderDER},
		"v1 pem": Certificate{Identity: testIdentity(), Message: V1, Header: HeaderPEM},
		"v1 der": Certificate{Identity: testIdentity(), Message: V1, Header: HeaderDER},
		"basic":  Basic{"batch@example.com", secret.FromString("s3cret")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := tenant(t, simulator.Options{})
				_, s, end := connect(t, sim, login)
				defer end()
				got, err := s.Validate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got.User != "batch@example.com" || got.UserGUID == "" || got.CustomerGUID == "" || !got.ExpiresAt.Equal(time.Now().Add(35*time.Minute)) {
					t.Errorf("session is %+v", got)
				}
			})
		})
	}
}

func TestARefusedFormatIsFinalAndInTheHostsWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := tenant(t, simulator.Options{Switches: &simulator.Switches{RefuseV1: true}})
		_, s, end := connect(t, sim, Certificate{Identity: testIdentity(), Message: V1})
		defer end()
		for range 2 {
			_, err := s.Token(t.Context())
			if e, ok := errors.AsType[*LoginError](err); !ok || !errors.Is(err, ErrRefused) || !strings.Contains(e.Text, "not accepted any more") {
				t.Errorf("got %v", err)
			}
		}
		if diff := cmp.Diff(map[string]int{"/token/authenticate 401": 1}, counts(sim)); diff != "" {
			t.Error(diff)
		}
	})
}

// Ten minutes of virtual time with tokens that live 35 s, over net/http and the simulator.
func TestTenMinutesAgainstTheSimulator(t *testing.T) {
	const life = 35 * time.Second
	off := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	// The simulator's tokens end on a moment that no Date shows.
	odd := 700 * time.Millisecond
	for _, tt := range []struct {
		name   string
		o      simulator.Options
		every  time.Duration // a request
		logins int           // that were answered with a token; 0: any number
	}{
		{"undisturbed", simulator.Options{}, time.Second, 1},
		{"the server is 700 ms ahead", simulator.Options{Now: off(odd)}, time.Second, 1},
		{"a request every 17.9 s", simulator.Options{Now: off(odd)}, 17900 * time.Millisecond, 0},
		{"a request every 35.3 s", simulator.Options{Now: off(odd)}, 35300 * time.Millisecond, 0},
		{"a request every 34.9 s", simulator.Options{Now: off(odd)}, 34900 * time.Millisecond, 0},
		{"refresh gives another token", simulator.Options{Switches: &simulator.Switches{RefreshNewValue: true}}, time.Second, 1},
		{"our clock is 40 minutes behind", simulator.Options{Now: off(40 * time.Minute)}, time.Second, 1},
		{"our clock is 40 minutes ahead", simulator.Options{Now: off(-40 * time.Minute)}, time.Second, 1},
		{"refresh answers 500", simulator.Options{Faults: []simulator.Fault{{Path: "^/token/refresh", Count: -1, Status: 500}}}, time.Second, 0},
		{"refresh answers 502 with a page", simulator.Options{Faults: []simulator.Fault{{Path: "^/token/refresh", Count: -1, Status: 502, Body: "html"}}}, time.Second, 0},
		{"refresh answers 401", simulator.Options{Faults: []simulator.Fault{{Path: "^/token/refresh", Count: -1, Status: 401, Body: "empty"}}}, time.Second, 0},
		{"refresh is lost", simulator.Options{Faults: []simulator.Fault{{Path: "^/token/refresh", Count: -1, Drop: "before"}}}, time.Second, 0},
		{"refresh's answer is lost", simulator.Options{Faults: []simulator.Fault{{Path: "^/token/refresh", Count: -1, Drop: "after"}}}, time.Second, 0},
		{"refresh's answer is cut", simulator.Options{Faults: []simulator.Fault{{Path: "^/token/refresh", Count: -1, Truncate: true}}}, time.Second, 0},
	} {
		if testing.Short() && tt.every < 2*time.Second && tt.name != "undisturbed" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.o.TokenLife = life
				sim := tenant(t, tt.o)
				c, _, end := connect(t, sim, Certificate{Identity: testIdentity()})
				defer end()
				for began := time.Now(); time.Since(began) < 10*time.Minute; time.Sleep(tt.every) {
					resp, err := c.Get("https://api.anaplan.com/2/0/users/me")
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					if resp.StatusCode != 200 {
						t.Fatalf("after %v: %s", time.Since(began), resp.Status)
					}
				}
				n := counts(sim)
				if n["/2/0/users/me 401"] > 0 {
					t.Errorf("%d requests carried a dead token", n["/2/0/users/me 401"])
				}
				if got := n["/token/authenticate 201"]; tt.logins > 0 && got != tt.logins {
					t.Errorf("%d logins, want %d", got, tt.logins)
				}
				loginsApart(t, sim)
			})
		})
	}
}

func loginsApart(t *testing.T, sim *simulator.Simulator) {
	t.Helper()
	var last time.Time
	for _, r := range sim.Requests() {
		if r.Path != "/token/authenticate" {
			continue
		}
		if !last.IsZero() && r.At.Sub(last) < loginEvery {
			t.Errorf("two logins within %v", r.At.Sub(last))
		}
		last = r.At
	}
}

func TestA401AndAnExpiredTokenAtEveryRequestInTurn(t *testing.T) {
	const requests = 12
	for name, fault := range map[string]simulator.Fault{
		"401":     {Path: "^/2/0/", Status: 401},
		"empty":   {Path: "^/2/0/", Status: 401, Body: "empty"},
		"expired": {Path: "^/2/0/", ExpireToken: true},
	} {
		for nth := 1; nth <= requests; nth++ {
			synctest.Test(t, func(t *testing.T) {
				fault.Nth = nth
				sim := tenant(t, simulator.Options{TokenLife: 35 * time.Second, Faults: []simulator.Fault{fault}})
				c, _, end := connect(t, sim, Certificate{Identity: testIdentity()})
				defer end()
				for i := range requests {
					resp, err := c.Get("https://api.anaplan.com/2/0/users/me")
					if err != nil {
						t.Fatalf("%s at %d, request %d: %v", name, nth, i, err)
					}
					resp.Body.Close()
					if resp.StatusCode != 200 {
						t.Errorf("%s at %d, request %d: %s", name, nth, i, resp.Status)
					}
					time.Sleep(5 * time.Second)
				}
				if got := counts(sim)["/token/authenticate 201"]; got != 2 {
					t.Errorf("%s at %d: %d logins, want 2", name, nth, got)
				}
				loginsApart(t, sim)
			})
		}
	}
}

func TestTheSampleIdentityIsAsTheDocumentsAsk(t *testing.T) {
	cert, key, err := sample.NewIdentity("batch@example.com", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := keystore.Files{Certificate: cert, Key: key}.Load()
	if err != nil {
		t.Fatal(err)
	}
	r := CheckCertificate(id, time.Now())
	if r.Problem != "" || len(r.Warnings) > 0 || !r.KeyMatches {
		t.Errorf("report is %+v", r)
	}
	sim := tenant(t, simulator.Options{})
	_, s, end := connect(t, sim, Certificate{Identity: id})
	defer end()
	if got, err := s.Validate(t.Context()); err != nil || got.User != "batch@example.com" {
		t.Errorf("got %+v, %v", got, err)
	}
}
