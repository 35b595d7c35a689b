package auth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The check of anaplan-api.md 2.2.
func TestV2MessageIsByteForByteAsDocumented(t *testing.T) {
	const want = "AAAAAGhaH7oAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaWw=="
	counting := make([]byte, 92)
	for i := range counting {
		counting[i] = byte(i)
	}
	// Half a second more: the time is whole seconds, cut off.
	p, err := NewPayload(testIdentity(), V2, HeaderPEM, time.Unix(1750736826, 5e8), bytes.NewReader(counting))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, p.EncodedData); diff != "" {
		t.Error(diff)
	}
	if message := decode(t, p.EncodedData); len(message) != 100 {
		t.Errorf("message has %d bytes, want 100", len(message))
	}
	if len(p.EncodedSignedData) != 344 {
		t.Errorf("signature has %d base64 characters, want 344", len(p.EncodedSignedData))
	}
}

func TestPayloadForms(t *testing.T) {
	id := testIdentity()
	for _, tt := range []struct {
		format Format
		header HeaderForm
		size   int
		cert   []byte
		prefix string
		keys   []string
	}{
		{"", "", 100, id.LeafPEM, "CACertificate LS0tLS1CRUdJTi", []string{"encodedData", "encodedDataFormat", "encodedSignedData"}},
		{V2, HeaderDER, 100, id.Leaf.Raw, "CACertificate MII", []string{"encodedData", "encodedDataFormat", "encodedSignedData"}},
		{V1, HeaderPEM, 150, id.LeafPEM, "CACertificate LS0tLS1CRUdJTi", []string{"encodedData", "encodedSignedData"}},
		{V1, HeaderDER, 150, id.Leaf.Raw, "CACertificate MII", []string{"encodedData", "encodedSignedData"}},
	} {
		t.Run(string(tt.format+"/")+string(tt.header), func(t *testing.T) {
			p, err := NewPayload(id, tt.format, tt.header, time.Now(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(p.Header, tt.prefix) || strings.ContainsAny(p.Header, "\r\n") {
				t.Errorf("header is %.40q…, want one line that begins with %q", p.Header, tt.prefix)
			}
			if diff := cmp.Diff(tt.cert, decode(t, strings.TrimPrefix(p.Header, "CACertificate "))); diff != "" {
				t.Error("certificate in the header differs", diff)
			}
			message := decode(t, p.EncodedData)
			if len(message) != tt.size {
				t.Errorf("message has %d bytes, want %d", len(message), tt.size)
			}
			sum := sha512.Sum512(message)
			if err := rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA512, sum[:], decode(t, p.EncodedSignedData)); err != nil {
				t.Error(err)
			}
			var fields map[string]string
			if err := json.Unmarshal(p.Body(), &fields); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"encodedData": p.EncodedData, "encodedSignedData": p.EncodedSignedData}
			if len(tt.keys) == 3 {
				want["encodedDataFormat"] = "v2"
			}
			if diff := cmp.Diff(want, fields); diff != "" {
				t.Error(diff)
			}
			for _, shown := range []string{fmt.Sprint(p), fmt.Sprintf("%+v %#v %q %x", p, p, p, p), fmt.Sprintf("%+v", struct{ P *Payload }{&p})} {
				if strings.Contains(shown, p.EncodedSignedData) || strings.Contains(shown, fmt.Sprintf("%x", p.EncodedSignedData)) {
					t.Errorf("printing a payload shows it: %.60s", shown)
				}
			}
		})
	}
}

func TestPayloadsAreFresh(t *testing.T) {
	now := time.Now()
	for _, f := range []Format{V1, V2} {
		a, err1 := NewPayload(testIdentity(), f, "", now, nil)
		b, err2 := NewPayload(testIdentity(), f, "", now, nil)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if a.EncodedData == b.EncodedData {
			t.Errorf("%s: two messages are the same", f)
		}
	}
}

func TestPayloadRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, make := range map[string]func() (Payload, error){
		"format":   func() (Payload, error) { return NewPayload(testIdentity(), "v3", "", time.Now(), nil) },
		"header":   func() (Payload, error) { return NewPayload(testIdentity(), "", "p12", time.Now(), nil) },
		"identity": func() (Payload, error) { return NewPayload(nil, "", "", time.Now(), nil) },
		"random": func() (Payload, error) {
			return NewPayload(testIdentity(), "", "", time.Now(), iotest.ErrReader(os.ErrClosed))
		},
	} {
		if p, err := make(); err == nil || p != (Payload{}) {
			t.Errorf("%s: no error, or a payload with it", name)
		}
	}
}

// OpenSSL is what people would check a signature with. Where it is missing, Go's verification above decides, unless the
// environment says that OpenSSL has to be there.
func TestOpenSSLVerifiesSignatures(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("ANAPLAN_RUNNER_TEST_OPENSSL") == "1" {
			t.Fatal("ANAPLAN_RUNNER_TEST_OPENSSL=1, and openssl is not on the PATH")
		}
		t.Log("openssl is not on the PATH; signatures are verified by Go alone")
		return
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) (string, error) {
		out, err := exec.Command(openssl, args...).CombinedOutput()
		return string(out), err
	}
	for _, f := range []Format{V1, V2} {
		p, err := NewPayload(testIdentity(), f, HeaderPEM, time.Now(), nil)
		if err != nil {
			t.Fatal(err)
		}
		cert := write("cert.pem", decode(t, strings.TrimPrefix(p.Header, "CACertificate ")))
		public, err := exec.Command(openssl, "x509", "-in", cert, "-noout", "-pubkey").Output()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := pem.Decode(public); b == nil {
			t.Fatalf("openssl printed no public key: %q", public)
		}
		pub := write("pub.pem", public)
		message := decode(t, p.EncodedData)
		sig := write("sig", decode(t, p.EncodedSignedData))
		if out, err := run("dgst", "-sha512", "-verify", pub, "-signature", sig, write("message", message)); err != nil || strings.TrimSpace(out) != "Verified OK" {
			t.Errorf("%s: openssl says %q, %v", f, out, err)
		}
		message[len(message)-1] ^= 1
		if out, err := run("dgst", "-sha512", "-verify", pub, "-signature", sig, write("message", message)); err == nil {
			t.Errorf("%s: openssl accepts the signature for another message: %q", f, out)
		}
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
