package simulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoadFaultsSaysWhatIsWrong(t *testing.T) {
	for script, want := range map[string]string{
		"[[fault]]\nstatus = 99":                      "status 99",
		"[[fault]]\npath = '('\nstatus = 500":         "path: ",
		"[[fault]]\nmethod = 'GET'":                   "no effect",
		"[[fault]]\ndrop = 'now'":                     "drop \"now\"",
		"[[fault]]\ndrop = 'before'\nafter = '3m'":    "after needs",
		"[[fault]]\nstatus = 500\nbody = 'xml'":       "body \"xml\"",
		"[[fault]]\nstauts = 500":                     "unknown key \"fault.stauts\"",
		"[[fault]]\ndelay = 'soon'":                   "reading faults",
		"[[fault]]\nstatus = 500\ncount = -2":         "count not less",
		"[[fault]]\nbody = 'html'\ndrop = 'before'":   "need status",
		"[[fault]]\nstatus = 500\n[[fault]]\nnth = 1": "fault 2",
	} {
		if faults, err := LoadFaults(strings.NewReader(script)); err == nil || faults != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", script, err, want)
		}
	}
}

func withFaults(t *testing.T, script string, f func(*tenant)) {
	t.Helper()
	faults, err := LoadFaults(strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, Options{Faults: faults}, f)
}

func TestFaultsHitTheRequestsThatTheyChoose(t *testing.T) {
	withFaults(t, `
[[fault]]
method = "GET"
path = "/users/me$"
nth = 2
count = 2
status = 503
body = "html"
retry_after = "7"
[[fault]]
path = "never"
status = 500
`, func(tn *tenant) {
		for i, want := range []int{200, 503, 503, 200} {
			if status := tn.call("GET", "/users/me", "", nil); status != want {
				t.Errorf("request %d: %d, want %d", i+1, status, want)
			}
		}
		if unfired := tn.s.UnfiredFaults(); len(unfired) != 1 || unfired[0].Path != "never" {
			t.Errorf("unfired: %+v", unfired)
		}
	})
}

func TestDroppedStart(t *testing.T) {
	for _, row := range []struct {
		name, effect string
		atOnce, soon int // tasks right after the request, and three minutes later
	}{
		{"before", `drop = "before"`, 0, 0},
		{"after", `drop = "after"`, 1, 1},
		{"minutes after", "drop = \"after\"\nafter = \"3m\"", 0, 1},
		{"gateway", "status = 502\nbody = \"html\"\ntook_effect = true", 1, 1},
		{"refused", `status = 500`, 0, 0},
		{"truncated", `truncate = true`, 1, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			withFaults(t, "[[fault]]\npath = '/tasks$'\n"+row.effect, func(tn *tenant) {
				req, _ := http.NewRequest("POST", "https://api.anaplan.com/2/0"+tn.object("Hub", "Order")+"/tasks", strings.NewReader(`{"localeName":"en_US"}`))
				req.Header.Set("Authorization", "Bearer "+tn.token)
				resp, err := tn.hc.Do(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if strings.HasPrefix(row.effect, "status") != (err == nil) {
					t.Errorf("error %v", err)
				}
				if n := len(tn.s.Tasks()); n != row.atOnce {
					t.Errorf("%d tasks at once", n)
				}
				time.Sleep(3 * time.Minute)
				tasks := tn.s.Tasks()
				if len(tasks) != row.soon {
					t.Errorf("%d tasks later", len(tasks))
				}
				if row.soon > row.atOnce && tasks[0].Created != time.Now() {
					t.Errorf("created at %s", tasks[0].Created)
				}
				if unfired := tn.s.UnfiredFaults(); len(unfired) > 0 {
					t.Errorf("unfired: %+v", unfired)
				}
				tn.wantNoMisuse()
			})
		})
	}
}

func TestDelayAndExpiredToken(t *testing.T) {
	withFaults(t, "[[fault]]\npath = '/users/me$'\ndelay = '30s'\nexpire_token = true", func(tn *tenant) {
		begun := time.Now()
		if status := tn.call("GET", "/users/me", "", nil); status != 401 || time.Since(begun) != 30*time.Second {
			t.Errorf("%d after %s", status, time.Since(begun))
		}
		if status := tn.call("GET", "/users/me", "", nil); status != 401 {
			t.Errorf("again: %d", status)
		}
		tn.login("ada@example.com")
		tn.wantNoMisuse()
	})
}

func TestMisuse(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		hub := tn.s.modelNamed("Hub")
		for _, row := range []struct{ name, method, path, header, value, says string }{
			{"unknown route", "GET", "/nothing", "", "", "no such call"},
			{"unknown verb", "PATCH", "/users/me", "", "", "no such call"},
			{"405", "GET", "/workspaces/" + hub.workspace.id + "/models/" + hub.id, "", "", "use GET /models"},
			{"case", "GET", "/models/" + strings.ToLower(hub.id), "", "", "case of letters"},
			{"key", "GET", "/users/me", "Idempotency-Key", "1", "Idempotency-Key"},
			{"no token", "GET", "/users/me", "Authorization", "Basic x", "no token"},
			{"dead token", "GET", "/users/me", "Authorization", "Bearer x", "never issued"},
			{"metadata", "GET", tn.model("Hub") + "/files/113000000012", "Accept", "application/json", "content of the file"},
		} {
			before := len(tn.s.Misuse())
			var headers []string
			if row.header != "" {
				headers = []string{row.header, row.value}
			}
			tn.call(row.method, row.path, "", nil, headers...)
			misuse := tn.s.Misuse()[before:]
			if len(misuse) != 1 || !strings.Contains(misuse[0], row.says) {
				t.Errorf("%s: %q", row.name, misuse)
			}
		}
		tn.upload("shops.csv", shopsCSV)
		before := len(tn.s.Misuse())
		tn.start("Hub", "Sales.csv", "")
		tn.start("Hub", "Sales.csv", "")
		if n := len(tn.s.Misuse()) - before; n != 2 {
			t.Errorf("the same export twice: %q", tn.s.Misuse()[before:])
		}
	})
}

// The handler serves real sockets too, and the clock may be a caller's.
func TestOverLoopbackWithAClockThatJumps(t *testing.T) {
	clock := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	s := New(company(t, ""), Options{Now: func() time.Time { return clock }})
	server := httptest.NewServer(s)
	defer server.Close()
	get := func(token string) *http.Response {
		req, _ := http.NewRequest("GET", server.URL+"/2/0/users/me", nil)
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	tn := &tenant{t: t, s: s, hc: server.Client()}
	req, _ := http.NewRequest("POST", server.URL+"/token/authenticate", nil)
	req.SetBasicAuth("ada@example.com", "pw")
	var a authAnswer
	if status := tn.send(req, &a); status != 201 || a.TokenInfo.ExpiresAt != clock.Add(35*time.Minute).UnixMilli() {
		t.Errorf("%d %+v", status, a)
	}
	resp := get("Bearer " + a.TokenInfo.TokenValue)
	if resp.StatusCode != 200 || resp.Header.Get("Date") != "Sun, 01 Nov 2026 02:00:00 GMT" {
		t.Errorf("%d, Date %s", resp.StatusCode, resp.Header.Get("Date"))
	}
	clock = clock.Add(time.Hour)
	if resp := get("Bearer " + a.TokenInfo.TokenValue); resp.StatusCode != 401 {
		t.Errorf("an hour later: %d", resp.StatusCode)
	}
}

func TestACompanyServesSeveralSimulators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := company(t, "")
		first, second := New(c, Options{}), New(c, Options{})
		tn := &tenant{t: t, s: first, hc: &http.Client{Transport: first.Transport()}}
		defer first.Close()
		tn.login("ada@example.com")
		tn.upload("shops.csv", shopsCSV)
		tn.finish(tn.start("Hub", "Load Shops", ""))
		if string(first.Snapshot()) == string(second.Snapshot()) {
			t.Error("an import changed nothing")
		}
		if string(New(c, Options{}).Snapshot()) != string(second.Snapshot()) {
			t.Error("the company was changed")
		}
	})
}
