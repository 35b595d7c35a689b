package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"software.sslmate.com/src/go-pkcs12"
)

// wiretap is a simulator that writes down every secret that passes.
type wiretap struct {
	sim *simulator.Simulator

	mu      sync.Mutex
	secrets map[string]string // by value: what it is
}

func (w *wiretap) note(what, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(value) > 8 {
		w.secrets[value] = what
	}
}

// ServeHTTP implements [http.Handler].
func (w *wiretap) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "CACertificate" { // a certificate is public
		w.note(scheme, value)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	w.sim.ServeHTTP(answer, r)
	if strings.HasPrefix(r.URL.Path, "/token/") {
		var asked, said map[string]any
		_ = json.Unmarshal(body, &asked)
		_ = json.Unmarshal(answer.Body.Bytes(), &said)
		for _, key := range []string{"encodedData", "encodedSignedData"} {
			if s, ok := asked[key].(string); ok {
				w.note(key, s)
			}
		}
		if info, ok := said["tokenInfo"].(map[string]any); ok {
			if s, ok := info["tokenValue"].(string); ok {
				w.note("tokenValue", s)
			}
		}
	}
	for key, values := range answer.Header() {
		rw.Header()[key] = values
	}
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(answer.Body.Bytes())
}

// TestSecretsAreNowhere runs every command without a job, also in vain, with everything
// told that can be told, and looks for each secret in each stream and result file.
func TestSecretsAreNowhere(t *testing.T) {
	files, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const storePassword, wrongToken, signature = "canary-store-password", "canary-wrong-token", "canary-signature"
	store := storeOf(t, files, storePassword)
	java, err := os.ReadFile(filepath.Join(repository, "auth", "keystore", "testdata", "stores", "anaplan.jks"))
	if err != nil {
		t.Fatal(err)
	}
	vault := newVaultServer(t)
	vault.fields = map[string]string{"cert": string(files["cert.pem"]), "key": string(files["encrypted.pem"]), "passphrase": keyPassphrase,
		"store": base64.StdEncoding.EncodeToString(store), "store_password": storePassword}
	inVault := func(token string) []string { return []string{"VAULT_ADDR", vault.URL, "VAULT_TOKEN", token} }
	fromVault := []string{"--certificate", "vault:anaplan/prod#cert", "--private-key", "vault:anaplan/prod#key", "--passphrase", "vault:anaplan/prod#passphrase"}
	storeFromVault := []string{"--certificate", "vault:anaplan/prod#store", "--passphrase", "vault:anaplan/prod#store_password"}
	for name, data := range map[string][]byte{"cert.pem": files["cert.pem"], "store.p12": store, "anaplan.jks": java, "key.pem": files["encrypted.pem"], "pass": []byte(keyPassphrase),
		"wrong": []byte("canary-wrong-passphrase"), "data.csv": []byte("a,b\n1,2\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	certificate := []string{"--certificate", in("cert.pem"), "--private-key", in("key.pem"), "--passphrase", "file:" + in("pass")}
	place := []string{"-w", "Finance", "-m", "Sales Hub"}
	join := func(groups ...[]string) []string { return slices.Concat(groups...) }
	const wrongPassword = "canary-wrong-password"
	for _, tc := range []struct {
		name string
		env  []string
		args []string
		code int
		log  bool // logs in
	}{
		{"token", nil, join([]string{"auth", "token"}, certificate), 0, true},
		{"token, basic", []string{"ANAPLAN_PASSWORD", sample.Password}, []string{"auth", "token", "--user", sample.Email}, 0, true},
		{"token, wrong password", []string{"ANAPLAN_PASSWORD", wrongPassword}, []string{"auth", "token", "--user", sample.Email}, 77, true},
		{"token, the passphrase as an argument", nil, []string{"auth", "token", "--certificate", in("cert.pem"), "--private-key", in("key.pem"), "--passphrase", keyPassphrase}, 64, false},
		{"token, wrong passphrase", nil, []string{"auth", "token", "--certificate", in("cert.pem"), "--private-key", in("key.pem"), "--passphrase", "file:" + in("wrong")}, 77, false},
		{"token, a key store", []string{"ANAPLAN_PASSPHRASE", storePassword}, []string{"auth", "token", "--certificate", in("store.p12")}, 0, true},
		{"token, a key store, wrong password", []string{"ANAPLAN_PASSPHRASE", "canary-wrong-passphrase"}, []string{"auth", "token", "--certificate", in("store.p12")}, 77, false},
		{"token, a key store, no such alias", []string{"ANAPLAN_PASSPHRASE", storePassword}, []string{"auth", "token", "--certificate", in("store.p12"), "--alias", "nobody"}, 77, false},
		{"token, a Java key store", []string{"ANAPLAN_PASSPHRASE", "changeit", "ANAPLAN_KEY_PASSPHRASE", "keypass1"}, []string{"auth", "token", "--certificate", in("anaplan.jks")}, 77, true},
		{"token, a Java key store, wrong key password", []string{"ANAPLAN_PASSPHRASE", "changeit", "ANAPLAN_KEY_PASSPHRASE", "canary-wrong-passphrase"}, []string{"auth", "token", "--certificate", in("anaplan.jks")}, 77, false},
		{"payload, a Java key store", []string{"ANAPLAN_PASSPHRASE", "changeit", "ANAPLAN_KEY_PASSPHRASE", "keypass1"}, []string{"auth", "payload", "--certificate", in("anaplan.jks"), "--out", in("java")}, 0, false},
		{"token, from a vault", inVault(vaultCanary), join([]string{"auth", "token"}, fromVault), 0, true},
		{"token, a key store from a vault", inVault(vaultCanary), join([]string{"auth", "token"}, storeFromVault), 0, true},
		{"token, no such field of a vault", inVault(vaultCanary), []string{"auth", "token", "--certificate", "vault:anaplan/prod#nothing"}, 77, false},
		{"token, a vault that refuses", inVault(wrongToken), join([]string{"auth", "token"}, fromVault), 77, false},
		{"token, a vault that is not there", []string{"VAULT_ADDR", "http://127.0.0.1:1/", "VAULT_TOKEN", wrongToken, "ANAPLAN_SIMULATOR_SPEED", "1000"}, join([]string{"auth", "token"}, fromVault), 75, false},
		{"check, from a vault", inVault(vaultCanary), []string{"auth", "check", "vault:anaplan/prod#cert", "vault:anaplan/prod#store", "--passphrase", "vault:anaplan/prod#store_password"}, 0, false},
		{"check, a vault that refuses", inVault(wrongToken), []string{"auth", "check", "vault:anaplan/prod#cert"}, 77, false},
		{"check, a vault that is not there", []string{"VAULT_ADDR", "http://127.0.0.1:1/", "VAULT_TOKEN", wrongToken, "ANAPLAN_SIMULATOR_SPEED", "1000"}, []string{"auth", "check", "vault:anaplan/prod#cert"}, 75, false},
		{"request", []string{"ANAPLAN_PASSPHRASE", keyPassphrase}, []string{"auth", "request", "--email", sample.Email, "--out", in("new")}, 0, false},
		{"upload, a signed address that is not there", nil, join([]string{"upload", "sales.csv", "--source", "http://canary-person:canary-password@127.0.0.1:1/a.csv?sig=" + signature}, place, certificate), 75, true},
		{"check", nil, join([]string{"auth", "check"}, certificate), 0, false},
		{"check, wrong passphrase", []string{"ANAPLAN_PASSPHRASE", "canary-wrong-passphrase"}, []string{"auth", "check", "--certificate", in("cert.pem"), "--private-key", in("key.pem")}, 77, false},
		{"list", nil, join([]string{"list", "imports"}, place, certificate), 0, true},
		{"list, no such model", nil, join([]string{"list", "imports", "-w", "Finance", "-m", "nothing"}, certificate), 78, true},
		{"tasks", nil, join([]string{"tasks", "import", "Load Sales"}, place, certificate), 0, true},
		{"upload", nil, join([]string{"upload", "sales.csv", "--source", in("data.csv")}, place, certificate), 0, true},
		{"upload, no such file", nil, join([]string{"upload", "nothing.csv", "--source", in("data.csv")}, place, certificate), 78, true},
		{"download", nil, join([]string{"download", "sales.csv", "--target", in("out.csv")}, place, certificate), 0, true},
		{"payload to a file", nil, join([]string{"auth", "payload", "--out", in("payload")}, certificate), 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tap := &wiretap{sim: simulator.New(sample.Company(), simulator.Options{}), secrets: map[string]string{}}
			defer tap.sim.Close()
			server := httptest.NewServer(tap)
			defer server.Close()
			for _, s := range []string{keyPassphrase, sample.Password, wrongPassword, "canary-wrong-passphrase", storePassword, vaultCanary, wrongToken, signature, "canary-password"} {
				tap.note("a passphrase or password", s)
			}
			tap.secrets["changeit"], tap.secrets["keypass1"] = "the password of a store", "the password of a key in it"
			for line := range strings.Lines(string(files["key.pem"])) {
				tap.note("a line of the private key", strings.TrimSpace(line))
			}
			delete(tap.secrets, "-----BEGIN PRIVATE KEY-----")
			delete(tap.secrets, "-----END PRIVATE KEY-----")
			before := len(tap.secrets)
			result := in("result.json")
			args := append(tc.args, "--debug", "--log-format", "json")
			if tc.args[1] != "payload" {
				args = append(args, "--output", "json", "--result-file", result)
			}
			env := append([]string{"ANAPLAN_AUTH_URL", server.URL, "ANAPLAN_API_URL", server.URL}, tc.env...)
			got := call(env, args...)
			if got.code != tc.code {
				t.Fatalf("code %d, want %d: %s", got.code, tc.code, got.err)
			}
			if seen := len(tap.secrets) > before; seen != tc.log {
				t.Errorf("something secret was on the wire: %v, want %v", seen, tc.log)
			}
			kept, _ := os.ReadFile(result)
			_ = os.Remove(result)
			for where, text := range map[string]string{"stdout": got.out, "stderr": got.err, "the result file": string(kept)} {
				for secret, what := range tap.secrets {
					if strings.Contains(text, secret) {
						t.Errorf("%s stands on %s: %s", what, where, text)
					}
				}
			}
		})
	}
}

// storeOf is the sample's certificate and key in a PKCS#12 file.
func storeOf(t *testing.T, files map[string][]byte, password string) []byte {
	t.Helper()
	id, err := keystore.Files{Certificate: files["cert.pem"], Key: files["key.pem"]}.Load()
	if err != nil {
		t.Fatal(err)
	}
	store, err := pkcs12.Modern.Encode(id.Signer, id.Leaf, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
