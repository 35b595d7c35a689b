package secret

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseVault(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want VaultRef
		err  string
	}{
		{"anaplan/prod#p12", VaultRef{Path: "anaplan/prod", Field: "p12"}, ""},
		{"kv:anaplan/prod#p12", VaultRef{Mount: "kv", Path: "anaplan/prod", Field: "p12"}, ""},
		{"team/kv:prod?version=12#pass word", VaultRef{Mount: "team/kv", Path: "prod", Field: "pass word", Version: 12}, ""},
		{"kv:a:b#c", VaultRef{Mount: "kv", Path: "a:b", Field: "c"}, ""},
		{"a#b#c", VaultRef{Path: "a#b", Field: "c"}, ""},
		{"anaplan/prod", VaultRef{}, "no #"},
		{"anaplan/prod#", VaultRef{}, "no field"},
		{"#p12", VaultRef{}, "empty"},
		{"kv:#p12", VaultRef{}, "empty"},
		{":a#p12", VaultRef{}, "no mount"},
		{"/anaplan#p12", VaultRef{}, "begins or ends"},
		{"anaplan/#p12", VaultRef{}, "begins or ends"},
		{"kv/:anaplan#p12", VaultRef{}, "begins or ends"},
		{"a//b#p12", VaultRef{}, "//"},
		{"a/../b#p12", VaultRef{}, ".."},
		{" a#p12", VaultRef{}, "a space"},
		{"a# p12", VaultRef{}, "no field"},
		{"a\tb#p12", VaultRef{}, "control character"},
		{"a?version=0#b", VaultRef{}, "?version=NUMBER"},
		{"a?version=+1#b", VaultRef{}, "?version=NUMBER"},
		{"a?version=99999999999#b", VaultRef{}, "?version=NUMBER"},
		{"a?v=1#b", VaultRef{}, "?version=NUMBER"},
		{"a#b?version=1", VaultRef{}, "behind the #"},
	} {
		got, err := ParseVault(tt.in)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.err == "") {
			t.Errorf("%q: %v %s", tt.in, err, diff)
		}
		if err != nil && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "vault:MOUNT:PATH#FIELD")) {
			t.Errorf("%q: %v does not tell %q", tt.in, err, tt.err)
		}
		if err == nil && got.String() != "vault:"+tt.in {
			t.Errorf("%q comes back as %q", tt.in, got)
		}
	}
}

func TestStoresInTextAreUnpacked(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	wrapped := func(s string) string { return "\n" + s[:8] + "\r\n" + s[8:] + "\n" }
	der, jks, jceks, indefinite := "\x30\x03\x02\x01\x03", "\xfe\xed\xfe\xed\x00\x00\x00\x02", "\xce\xce\xce\xce\x00\x00\x00\x02", "\x30\x80\x02\x01\x03\x00\x00"
	text := b64([]byte("-----BEGIN X-----"))
	for _, tt := range []struct{ in, want string }{
		{b64([]byte(der)), der}, {b64([]byte(jks)), jks}, {wrapped(b64([]byte(jceks))), jceks}, {b64([]byte(indefinite)), indefinite},
		{der, der}, {jks, jks}, {text, text}, {"-----BEGIN X-----\nMAMCAQM=\n", "-----BEGIN X-----\nMAMCAQM=\n"},
		{b64([]byte(der + "x")), b64([]byte(der + "x"))}, {"hunter2!", "hunter2!"}, {"aGVsbG8=", "aGVsbG8="}, {"MAMCAQM", "MAMCAQM"},
	} {
		if got := FromString(tt.in).Unpacked(); string(got) != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// shelf is a vault that counts.
type shelf struct {
	reads, forgets int
	fail           error
}

func (s *shelf) Read(_ context.Context, ref VaultRef) (Value, error) {
	time.Sleep(time.Second)
	s.reads++
	if s.fail != nil {
		return Value{}, s.fail
	}
	if ref.Field == "empty" {
		return Value{}, nil
	}
	return FromString(ref.String() + "\n"), nil
}

func (s *shelf) Forget() { s.forgets++ }

func TestAValueIsFetchedOnceUntilForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &shelf{}
		r := Resolver{Vault: v, Cache: &Cache{}}
		ask := func(want string, wrong error) {
			t.Helper()
			got, err := r.Resolve(t.Context(), Ref{Vault, "a#b"})
			if got.RevealString() != want || !errors.Is(err, wrong) {
				t.Errorf("got %q, %v", got.RevealString(), err)
			}
		}
		v.fail = &FetchError{What: "closed"}
		ask("", v.fail)
		ask("", v.fail) // an error is not kept
		v.fail = nil
		for range 3 {
			go ask("vault:a#b\n", nil)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.Resolve(ctx, Ref{Vault, "a#b"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waits for another's fetch has no patience of its own: %v", err)
		}
		ask("vault:a#b\n", nil)
		if v.reads != 3 {
			t.Errorf("%d reads, want 3", v.reads)
		}
		r.Forget()
		ask("vault:a#b\n", nil)
		if v.reads != 4 || v.forgets != 1 {
			t.Errorf("%d reads, forgotten %d times", v.reads, v.forgets)
		}
		if _, err := r.Resolve(t.Context(), Ref{Vault, "a#empty"}); !errors.Is(err, ErrEmpty) {
			t.Error(err)
		}
	})
}

func TestOtherReferencesAreFetchedOnceToo(t *testing.T) {
	calls := map[string]int{}
	r := Resolver{Cache: &Cache{}, Getenv: func(name string) (string, bool) { calls[name]++; return name, true }}
	for range 2 {
		for _, name := range []string{"A", "B"} {
			if v, err := r.Resolve(t.Context(), Ref{Env, name}); err != nil || v.RevealString() != name {
				t.Error(v.RevealString(), err)
			}
		}
	}
	r.Forget()
	if _, err := r.Resolve(t.Context(), Ref{Env, "A"}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]int{"A": 2, "B": 1}, calls); diff != "" {
		t.Error(diff)
	}
}
