package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/sirupsen/logrus"
)

const canary = "Canary-7f3a9"

func TestAValueNeverPrints(t *testing.T) {
	v := FromString(canary)
	type holder struct {
		V      Value
		P      *Value
		hidden Value // fmt calls no methods on it
		list   []Value
		m      map[string]Value
	}
	h := holder{v, &v, v, []Value{v}, map[string]Value{"k": v}}
	var shown []string
	for _, x := range []any{v, &v, h, &h, []Value{v}, map[string]Value{"k": v}, []any{v}, fmt.Errorf("x %v: %w", v, fmt.Errorf("%s", v))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s", "%t", "%p"} {
			shown = append(shown, fmt.Sprintf(verb, x))
		}
		if b, err := json.Marshal(x); err == nil {
			shown = append(shown, string(b))
		}
	}
	var buf bytes.Buffer
	if err := toml.NewEncoder(&buf).Encode(struct{ V Value }{v}); err != nil {
		t.Error(err)
	}
	for _, f := range []logrus.Formatter{&logrus.TextFormatter{}, &logrus.JSONFormatter{}} {
		l := logrus.New()
		l.SetOutput(&buf)
		l.SetFormatter(f)
		l.WithField("v", v).WithField("h", h.V).WithField("p", &v).Error("value ", v)
	}
	slog.New(slog.NewJSONHandler(&buf, nil)).Error("x", "v", v, "h", h)
	func() {
		defer func() { shown = append(shown, fmt.Sprint(recover())) }()
		panic(v)
	}()
	shown = append(shown, buf.String())
	for _, s := range shown {
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary)), strings.Trim(fmt.Sprint([]byte(canary)), "[]")} {
			if strings.Contains(s, form) {
				t.Errorf("shown in %.200s", s)
			}
		}
	}
	if got := fmt.Sprint(v); got != "[redacted]" {
		t.Errorf("shows as %q", got)
	}
	if b, err := json.Marshal(v); err != nil || string(b) != `"[redacted]"` {
		t.Errorf("JSON is %s, %v", b, err)
	}
}

func TestValue(t *testing.T) {
	b := []byte("abc")
	v := New(b)
	b[0] = 'x'
	v.Reveal()[1] = 'x'
	if v.RevealString() != "abc" {
		t.Errorf("changed from outside: %q", v.RevealString())
	}
	if v.Empty() || !(Value{}).Empty() || !New(nil).Empty() || !FromString("").Empty() || (Value{}).Reveal() != nil {
		t.Error("Empty is wrong")
	}
	for _, tt := range []struct {
		a, b Value
		want bool
	}{{v, FromString("abc"), true}, {v, FromString("abd"), false}, {v, Value{}, false}, {Value{}, FromString(""), true}} {
		if tt.a.Equal(tt.b) != tt.want {
			t.Errorf("Equal(%q, %q) is not %v", tt.a.Reveal(), tt.b.Reveal(), tt.want)
		}
	}
}

func TestParseRef(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Ref
		ok   bool
	}{
		{"file:/run/secrets/pass", Ref{File, "/run/secrets/pass"}, true},
		{`file:C:\secrets\pass.txt`, Ref{File, `C:\secrets\pass.txt`}, true},
		{"file:a b:c ", Ref{File, "a b:c "}, true},
		{"env:ANAPLAN_PASS", Ref{Env, "ANAPLAN_PASS"}, true},
		{"cmd:pass show anaplan", Ref{Cmd, "pass show anaplan"}, true},
		{"vault:anaplan/x#key", Ref{Vault, "anaplan/x#key"}, true},
		{"vault:" + canary, Ref{}, false},
		{"vault:#" + canary, Ref{}, false},
		{`C:\secrets\pass.txt`, Ref{}, false},
		{"D:/x", Ref{}, false},
		{"FILE:x", Ref{}, false},
		{"https://x", Ref{}, false},
		{canary, Ref{}, false},
		{canary + ":" + canary, Ref{}, false},
		{":" + canary, Ref{}, false},
		{"", Ref{}, false},
		{"file:", Ref{}, false},
		{"env: ", Ref{}, false},
	} {
		got, err := ParseRef(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %+v, %v", tt.in, got, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the error repeats it: %v", tt.in, err)
		}
		if known := tt.in == "file:" || tt.in == "env: " || strings.HasPrefix(tt.in, "vault:"); err != nil && errors.Is(err, ErrNoScheme) == known {
			t.Errorf("%q: %v", tt.in, err)
		}
		if tt.ok && got.String() != tt.in {
			t.Errorf("%q comes back as %q", tt.in, got)
		}
	}
	if s := (Ref{}).String(); s != "" {
		t.Errorf("the zero Ref is %q", s)
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"file:x", "env:", `C:\x`, ":", "cmd:a:b", "vault:a/b#c", "vault:m/n:a/b?version=3#c", "vault:a:b:c#d#e", "vault:a?version=0#b", "vault:../a#b", "vault:a#b?version=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil && r != (Ref{}) || err == nil && r.String() != s {
			t.Errorf("%q: %+v, %v", s, r, err)
		}
		if r.Scheme != Vault {
			return
		}
		// What is taken says where it leads to, and nothing else, in a URL.
		v, err := ParseVault(r.Rest)
		if err != nil || v.String() != s || v.Path == "" || v.Field == "" || path.Join("/", v.Mount, "data", v.Path) != strings.TrimSuffix("/"+v.Mount, "/")+"/data/"+v.Path {
			t.Errorf("%q: %+v, %v", s, v, err)
		}
	})
}
