package auth

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		unused, _ := h.source(nil)
		if err := unused.Logout(context.Background()); err != nil || len(h.paths()) > 0 {
			t.Errorf("without a token: %v, %v", err, h.paths())
		}
		s, rec := h.source(nil)
		token(t, s)
		if err := s.Logout(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Logout(context.Background()); err != nil {
			t.Error("the second time:", err)
		}
		if _, err := s.Token(context.Background()); !errors.Is(err, ErrLoggedOut) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{loginOK, "/token/logout 204"}, h.paths()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]EventKind{LoggedIn, LoggedOut}, rec.kinds()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLogoutEndsARenewalOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.slow["/token/authenticate"] = 30 * time.Second
		s, _ := h.source(nil)
		waiter := make(chan error)
		go func() {
			_, err := s.Token(context.Background())
			waiter <- err
		}()
		time.Sleep(time.Second)
		began := time.Now()
		if err := s.Logout(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-waiter; !errors.Is(err, ErrLoggedOut) || time.Since(began) != 0 {
			t.Errorf("the waiter got %v after %v", err, time.Since(began))
		}
	})
}

func TestValidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, _ := h.source(nil)
		want := Session{User: "batch@example.com", UserGUID: "aa", CustomerGUID: "bb", ExpiresAt: time.Now().Add(35 * time.Minute).Local()}
		got, err := s.Validate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		h.expireAll()
		if _, err := s.Validate(context.Background()); err != nil {
			t.Error(err)
		}
		want2 := []string{loginOK, "/token/validate 200", "/token/validate 401", loginOK, "/token/validate 200"}
		if diff := cmp.Diff(want2, h.paths()); diff != "" {
			t.Error(diff)
		}
		h.fault = func(p string, _ int, w http.ResponseWriter) bool {
			if p == "/token/validate" {
				refuse(w, 401, "F", "never")
			}
			return p == "/token/validate"
		}
		if _, err := s.Validate(context.Background()); !errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(append(want2, "/token/validate 401", loginOK, "/token/validate 401"), h.paths()); diff != "" {
			t.Error(diff)
		}
	})
}
