package keystore

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	load := func(name string) *Identity {
		t.Helper()
		id, err := Files{AllowOpen: true, CertificatePath: "testdata/" + name + "certificate.pem", KeyPath: "testdata/" + map[string]string{"": "pkcs8", "ec-": "ec", "weak-": "weak"}[name] + ".pem"}.Load()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	good, elliptic, weak := load(""), load("ec-"), load("weak-")
	begin, end := good.Leaf.NotBefore, good.Leaf.NotAfter
	for _, tt := range []struct {
		name string
		id   *Identity
		now  time.Time
		want error
	}{
		{"the first moment", good, begin, nil},
		{"a nanosecond before", good, begin.Add(-1), NotYetValid},
		{"the last moment", good, end, nil},
		{"a nanosecond after", good, end.Add(1), Expired},
		{"another zone", good, end.In(time.FixedZone("", 14*3600)), nil},
		{"elliptic", elliptic, begin, NotRSA},
		{"elliptic and expired", elliptic, end.AddDate(1, 0, 0), NotRSA},
		{"1024 bits", weak, begin, WeakKey},
	} {
		err := tt.id.Check(tt.now)
		if tt.want == nil {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		e, ok := errors.AsType[*CertificateError](err)
		if !ok || !errors.Is(err, tt.want) || e.Next == "" {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// 512 bits are less than Go's own libraries work with: it must be our error all the same.
func TestTinyKey(t *testing.T) {
	id, err := Files{AllowOpen: true, CertificatePath: "testdata/tiny-certificate.pem", KeyPath: "testdata/tiny.pem"}.Load()
	if err == nil {
		err = id.Check(id.Leaf.NotBefore)
	}
	if !errors.Is(err, WeakKey) {
		t.Errorf("got %v", err)
	}
}

func TestEmails(t *testing.T) {
	id, err := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem"}.LoadCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"batch@example.com"}, id.Emails()); diff != "" {
		t.Error(diff)
	}
	leaf := *id.Leaf
	leaf.EmailAddresses = []string{"san@example.com", "batch@example.com"}
	id.Leaf = &leaf
	if diff := cmp.Diff([]string{"san@example.com", "batch@example.com"}, id.Emails()); diff != "" {
		t.Error(diff)
	}
}

func TestPrintingShowsNoKey(t *testing.T) {
	p := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", Key: read(t, "pkcs8.pem")}
	id, err := p.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := id.Signer.(*rsa.PrivateKey).D
	var shown []string
	for _, x := range []any{id, *id, p, &p, []any{id, p}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%t"} {
			shown = append(shown, fmt.Sprintf(verb, x))
		}
	}
	for _, x := range []any{id, *id} {
		b, err := json.Marshal(x)
		if err != nil {
			t.Error(err)
		}
		shown = append(shown, string(b))
	}
	for _, s := range shown {
		if strings.Contains(s, d.String()) || strings.Contains(s, d.Text(16)) || strings.Contains(s, "45 45 45 45 45") || strings.Contains(s, "2d2d2d2d2d") || strings.Contains(s, "PRIVATE KEY") {
			t.Errorf("shown: %.200s", s)
		}
	}
}
