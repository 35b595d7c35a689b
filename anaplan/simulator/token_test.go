package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

type authAnswer struct {
	Status, StatusMessage string
	TokenInfo             struct {
		ExpiresAt                           int64
		TokenID, TokenValue, RefreshTokenID string
	}
	UserInfo struct{ UserID string }
}

func (tn *tenant) auth(method, path, authorization, body string) (int, authAnswer) {
	tn.t.Helper()
	req, err := http.NewRequest(method, "https://auth.anaplan.com/token/"+path, strings.NewReader(body))
	if err != nil {
		tn.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	var raw []byte
	status := tn.send(req, &raw)
	var a authAnswer
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a); err != nil {
			tn.t.Fatal(err)
		}
	}
	return status, a
}

func TestTokenLifeOfARun(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		header := "AnaplanAuthToken " + tn.token
		time.Sleep(30 * time.Minute)
		_, before := tn.auth("GET", "validate", header, "")
		status, refreshed := tn.auth("POST", "refresh", header, "")
		if status != 200 || refreshed.TokenInfo.TokenValue != tn.token || refreshed.TokenInfo.ExpiresAt-before.TokenInfo.ExpiresAt != 30*60*1000 {
			t.Errorf("refresh: %d %+v", status, refreshed)
		}
		if before.TokenInfo.TokenValue != "" || before.UserInfo.UserID != "ada@example.com" {
			t.Errorf("validate: %+v", before)
		}
		time.Sleep(35*time.Minute - time.Nanosecond)
		if status := tn.call("GET", "/users/me", "", nil); status != 200 {
			t.Errorf("a nanosecond early: %d", status)
		}
		tn.wantNoMisuse()
		time.Sleep(time.Nanosecond)
		if status := tn.call("GET", "/users/me", "", nil); status != 401 {
			t.Errorf("expired: %d", status)
		}
		if status, _ := tn.auth("POST", "refresh", header, ""); status != 401 {
			t.Errorf("refresh of an expired token: %d", status)
		}
		if n := len(tn.s.Misuse()); n != 2 {
			t.Errorf("%d misuses, want 2: %q", n, tn.s.Misuse())
		}
	})
}

func TestKilledTokensAreNoMisuse(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		tn.s.ExpireTokens()
		if status := tn.call("GET", "/users/me", "", nil); status != 401 {
			t.Errorf("%d", status)
		}
		tn.login("ada@example.com")
		if status := tn.call("GET", "/users/me", "", nil); status != 200 {
			t.Errorf("%d", status)
		}
		tn.wantNoMisuse()
		tn.login("ada@example.com")
		if n := len(tn.s.Misuse()); n != 1 {
			t.Errorf("a second login at once: %d misuses", n)
		}
	})
}

// The matrix of (anaplan-api.md 2.9).
func TestAuthErrors(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		live := "AnaplanAuthToken " + tn.token
		for _, row := range []struct {
			method, path, header string
			status               int
			code                 string
		}{
			{"POST", "authenticate", "Bearer " + tn.token, 401, "FAILURE_BAD_HEADER"},
			{"POST", "authenticate", "Basic eDp5", 401, "FAILURE_BAD_CREDENTIAL"},
			{"POST", "authenticate", "CACertificate eDp5", 401, "FAILURE_BAD_CREDENTIAL"},
			{"POST", "refresh", "Bearer " + tn.token, 400, "FAILURE_BAD_HEADER"},
			{"GET", "validate", "Bearer " + tn.token, 400, "FAILURE_BAD_HEADER"},
			{"POST", "logout", "Bearer " + tn.token, 401, "FAILURE_BAD_HEADER"},
			{"GET", "validate", "AnaplanAuthToken x", 401, "FAILURE_BAD_CREDENTIAL"},
			{"POST", "logout", live, 204, ""},
			{"GET", "validate", live, 401, "FAILURE_BAD_CREDENTIAL"},
			{"POST", "refresh", live, 401, "FAILURE_BAD_CREDENTIAL"},
			{"POST", "logout", live, 401, "FAILURE_BAD_CREDENTIAL"},
		} {
			status, a := tn.auth(row.method, row.path, row.header, "")
			if status != row.status || a.Status != row.code {
				t.Errorf("%s with %.15s: %d %s, want %d %s", row.path, row.header, status, a.Status, row.status, row.code)
			}
		}
	})
}

func identity(t *testing.T, emails ...string) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "x"}, EmailAddresses: emails,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func signed(t *testing.T, key *rsa.PrivateKey, format string, seconds uint64) string {
	t.Helper()
	message := make([]byte, 100)
	if _, err := rand.Read(message); err != nil {
		t.Fatal(err)
	}
	if format != "" {
		binary.BigEndian.PutUint64(message, seconds)
	}
	digest := sha512.Sum512(message)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA512, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]string{"encodedData": base64.StdEncoding.EncodeToString(message), "encodedSignedData": base64.StdEncoding.EncodeToString(signature)}
	if format != "" {
		body["encodedDataFormat"] = format
	}
	data, _ := json.Marshal(body)
	return string(data)
}

func TestCertificateLogin(t *testing.T) {
	inBubble(t, Options{Switches: &Switches{}}, func(tn *tenant) {
		key, der := identity(t, "ADA@example.com")
		other, _ := identity(t)
		text := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		bare := base64.StdEncoding.EncodeToString(der)
		now := uint64(time.Now().Unix())
		fresh := signed(t, key, "v2", now)
		for _, row := range []struct {
			name, header, body string
			says               string // of the refusal; "" logs in
		}{
			{"v2, PEM", text, fresh, ""},
			{"the same again", text, fresh, "used before"},
			{"v2, DER", bare, signed(t, key, "v2", now), ""},
			{"v1", text, signed(t, key, "", 0), ""},
			{"5 minutes old", text, signed(t, key, "v2", now-300), ""},
			{"older", text, signed(t, key, "v2", now-302), "5m2s off"},
			{"from the future", text, signed(t, key, "v2", now+302), "off"},
			{"milliseconds", text, signed(t, key, "v2", now*1000), "milliseconds"},
			{"another key", text, signed(t, other, "v2", now), "signature"},
			{"v3", text, signed(t, key, "v3", now), "not known"},
			{"no body", text, "", "not JSON"},
			{"old names", text, `{"certificateChain":"x","signature":"y"}`, "encodedData is missing"},
			{"no base64", "%%%", fresh, "base64"},
		} {
			status, a := tn.auth("POST", "authenticate", "CACertificate "+row.header, row.body)
			switch {
			case row.says == "" && status != 201:
				t.Errorf("%s: %d %s", row.name, status, a.StatusMessage)
			case row.says != "" && (status != 401 || !strings.Contains(a.StatusMessage, row.says)):
				t.Errorf("%s: %d %s, want %q", row.name, status, a.StatusMessage, row.says)
			}
		}
		tn.s.switches.RefuseV1 = true
		if status, _ := tn.auth("POST", "authenticate", "CACertificate "+text, signed(t, key, "", 0)); status != 401 {
			t.Errorf("v1 refused: %d", status)
		}
		stranger, strange := identity(t, "eve@example.com")
		if status, a := tn.auth("POST", "authenticate", "CACertificate "+base64.StdEncoding.EncodeToString(strange), signed(t, stranger, "v2", now)); status != 401 || !strings.Contains(a.StatusMessage, "No user") {
			t.Errorf("stranger: %d %s", status, a.StatusMessage)
		}
	})
}
