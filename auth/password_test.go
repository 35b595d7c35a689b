package auth

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

func TestARefusedPasswordIsFetchedAfreshOnce(t *testing.T) {
	down := errors.New("the vault is sealed")
	for name, tt := range map[string]struct {
		kept    []string // what Fetch finds, one after another; "": it fails
		refused bool
		fetched []bool
		took    time.Duration
	}{
		"right":                 {[]string{"s3cret"}, false, []bool{false}, 0},
		"changed meanwhile":     {[]string{"of yesterday", "s3cret"}, false, []bool{false, true}, 10 * time.Second},
		"the same":              {[]string{"of yesterday", "of yesterday"}, true, []bool{false, true}, 0},
		"another that is wrong": {[]string{"of yesterday", "of today", "s3cret"}, true, []bool{false, true}, 10 * time.Second},
		"no longer to be had":   {[]string{"of yesterday", ""}, true, []bool{false, true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := tenant(t, simulator.Options{})
				var fetched []bool
				login := &Password{User: "batch@example.com", Fetch: func(_ context.Context, fresh bool) (secret.Value, error) {
					fetched = append(fetched, fresh)
					if word := tt.kept[len(fetched)-1]; word != "" {
						return secret.FromString(word), nil
					}
					return secret.Value{}, down
				}}
				source := NewSource(SourceOptions{Login: login, Client: &http.Client{Transport: sim.Transport()}, Base: "https://auth.anaplan.com"})
				began := time.Now()
				for range 2 { // the second call asks nobody any more
					_, err := source.Token(t.Context())
					if errors.Is(err, ErrRefused) != tt.refused || (err != nil) != tt.refused {
						t.Error(err)
					}
					if last := tt.kept[len(tt.kept)-1]; errors.Is(err, down) != (last == "") {
						t.Error(err)
					}
				}
				if d := cmp.Diff(tt.fetched, fetched); d != "" {
					t.Error(d)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %s, not %s", took, tt.took)
				}
				if err := source.Logout(t.Context()); err != nil {
					t.Error(err)
				}
				sim.Close()
			})
		})
	}
}
