package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// parrot is a tenant that refuses starts, and repeats in its text everything secret that it
// knows, also encoded. No type of ours can know what stands in that.
type parrot struct {
	sim   *simulator.Simulator
	mu    sync.Mutex
	knows []string // besides the token
	said  []string // last
}

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/tasks") {
		p.sim.ServeHTTP(w, r)
		return
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = nil
	for _, s := range append([]string{token, canaryProxyPassword, canaryPostgres}, p.knows...) {
		p.said = append(p.said, s, base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": map[string]any{"code": 400, "message": "FAILURE: bad request of " + strings.Join(p.said, " | ")}})
}

const (
	canaryProxyPassword = "canary/proxy+password"
	canaryPostgres      = "canary-of-postgres"
)

// TestTheLastFilter: a server repeats our secrets, and they are neither printed nor kept.
func TestTheLastFilter(t *testing.T) {
	tenant := &parrot{sim: simulator.New(sample.Company(), simulator.Options{Speed: scriptSpeed})}
	defer tenant.sim.Close()
	server := httptest.NewServer(tenant)
	defer server.Close()
	dir := canaryFolder(t, server.URL)
	env := []string{"ANAPLAN_SIMULATOR_SPEED", fmt.Sprint(scriptSpeed), "SECRET_PASS", canaryPassphrase, "SECRET_WORD", sample.Password, "PGPASSWORD", canaryPostgres,
		"HTTPS_PROXY", "http://" + url.UserPassword("anna", canaryProxyPassword).String() + "@proxy.example.com:8080", "ANAPLAN_LEDGER", filepath.Join(dir, "ledger.db")}
	for connection, own := range map[string]string{"certificate": canaryPassphrase, "basic": sample.Password} {
		tenant.knows = []string{own}
		got := call(env, "run", filepath.Join(dir, connection+".toml"), "--debug", "--log-format", "json", "--output", "json",
			"--report", filepath.Join(dir, connection+".html"), "--result-file", filepath.Join(dir, connection+".json"))
		if got.code != 78 || !strings.Contains(got.out, "FAILURE: bad request of [redacted] | [redacted]") {
			t.Fatalf("code %d: %s\n%s", got.code, got.out, got.err)
		}
		show := call(env, "runs", "--debug")
		kept := []string{got.out + got.err + show.out + show.err}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "data") && filepath.Base(path) != "key.pem" {
				b, _ := os.ReadFile(path)
				kept = append(kept, string(b))
			}
			return err
		})
		if len(tenant.said) != 12 {
			t.Errorf("%d secrets were repeated", len(tenant.said))
		}
		for _, s := range tenant.said {
			for i, text := range kept {
				if strings.Contains(text, s) {
					t.Errorf("%s: %q stands in text %d", connection, s, i)
				}
			}
		}
		_ = os.Remove(filepath.Join(dir, "ledger.db"))
	}
}

// TestAResultWithSecretsStaysJSON, also where a secret is digits alone, a name of ours, or has to be escaped.
func TestAResultWithSecretsStaysJSON(t *testing.T) {
	f := &secret.Filter{}
	for _, s := range []string{"123456", "verdict", `say "no"`, "näive\u2028word", "-1e+20", `C:\new`} {
		f.Add(secret.FromString(s))
	}
	for _, tt := range []struct{ given, want string }{
		{`{"rows":123457,"ok":true}`, `{"rows":123457,"ok":true}`},
		{`{"rows":123456,"bytes":[9123456,-12345.6e1],"ok":123455}`, `{"rows":null,"bytes":[null,-12345.6e1],"ok":123455}`},
		{`{"verdict":"ok","text":"the verdict of 123456","a\"b":"c"}`, `{"verdict":"ok","text":"the [redacted] of [redacted]","a\"b":"c"}`},
		{`{"text":"they say \"no\": 1","n":-1e+20}`, `{"text":"they [redacted]: 1","n":null}`},
		{`{"text":"a näive\u2028word <b>","next":"C:\\new\\1"}`, `{"text":"a [redacted] <b>","next":"[redacted]\\1"}`},
		{`{"text":"\u0031\u003234\u00356","more":[]}`, `{"text":"[redacted]","more":[]}`},
		{`"123456`, `"null`}, // what is none is no worse
	} {
		got := string(cleanJSON(f, []byte(tt.given)))
		if got != tt.want || json.Valid([]byte(tt.given)) && !json.Valid([]byte(got)) {
			t.Errorf("%s:\n%s, want\n%s", tt.given, got, tt.want)
		}
	}
	if text := []byte(`{"a":1}`); string(cleanJSON(nil, text)) != string(text) {
		t.Error("a filter that knows none changes something")
	}
}

// TestNamesStayInResults, also in those that go to stdout, which is filtered itself, and to a file.
func TestNamesStayInResults(t *testing.T) {
	certificate, _ := identityFiles(t)
	inFolder(t)
	for _, password := range []string{"certificates", `"not_after"`} {
		got := call([]string{"PGPASSWORD", password}, "auth", "check", certificate, "--output", "json", "--result-file", "r.json")
		written, err := os.ReadFile("r.json")
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{"stdout": []byte(got.out), "--result-file": written} {
			var inv map[string]any
			if err := json.Unmarshal(text, &inv); err != nil || inv["certificates"] == nil {
				t.Errorf("%s, %s: %v: %.200s", password, name, err, text)
			}
		}
	}
}

// BenchmarkCleanJSON is of a large result, with escapes, against the filter alone over the same text.
func BenchmarkCleanJSON(b *testing.B) {
	f := &secret.Filter{}
	f.Add(secret.FromString("hunter-12345"))
	f.Add(secret.FromString("s3cr\"et\n"))
	var large strings.Builder
	large.WriteString(`{"steps":[`)
	for i := range 20_000 {
		fmt.Fprintf(&large, `{"name":"step %d","bytes":%d,"message":"some \"quoted\" message of medium length \\ here"},`, i, i)
	}
	large.WriteString("{}]}\n")
	text := large.String()
	b.Run("json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			cleanJSON(f, []byte(text))
		}
	})
	b.Run("text", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			f.Text(text)
		}
	})
}

// TestDataPassesTheFilter: what is downloaded to stdout is data, and stays as it is.
func TestDataPassesTheFilter(t *testing.T) {
	sim := simulator.New(sample.Company(), simulator.Options{})
	defer sim.Close()
	server := httptest.NewServer(sim)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "rows.csv")
	rows := "a,b\n" + sample.Password + ",1\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"ANAPLAN_AUTH_URL", server.URL, "ANAPLAN_API_URL", server.URL, "ANAPLAN_PASSWORD", sample.Password}
	login := []string{"-w", "Finance", "-m", "Sales Hub", "--user", sample.Email}
	if got := call(env, append([]string{"upload", "sales.csv", "--source", file}, login...)...); got.code != 0 {
		t.Fatal(got.err)
	}
	if got := call(env, append([]string{"download", "sales.csv", "--target", "-"}, login...)...); got.code != 0 || got.out != rows {
		t.Errorf("%d: %q, %s", got.code, got.out, got.err)
	}
}

// TestAPanicIsFiltered: also what is printed of one.
func TestAPanicIsFiltered(t *testing.T) {
	var errs bytes.Buffer
	p := &Program{In: strings.NewReader(""), Out: panicking{}, Err: &errs, Now: time.Now, Getenv: func(name string) (string, bool) {
		return "panicking", name == "PGPASSWORD" // a name in the stack
	}}
	if code := p.Main([]string{"version"}); code != 70 || strings.Contains(errs.String(), "panicking") || !strings.Contains(errs.String(), "[redacted]") {
		t.Errorf("code %d: %s", code, errs.String())
	}
}

// TestLongAnswersPassWhole: also of an address that looks like a login's, and of a login
// that is answered with more than is looked through.
func TestLongAnswersPassWhole(t *testing.T) {
	const size = 3 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range size >> 10 {
			_, _ = w.Write(make([]byte, 1<<10)) // no length is told
		}
	}))
	defer server.Close()
	p := &Program{Getenv: func(string) (string, bool) { return "", false }, filter: &secret.Filter{}}
	address := server.URL + "/download/token/sales.csv"
	source, _, err := p.stores().Schemes["http"].Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	client := &http.Client{Transport: knowing{p: p, base: http.DefaultTransport}}
	answer, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for name, from := range map[string]io.Reader{"a source": source, "a login": answer.Body} {
		if n, err := io.Copy(io.Discard, from); n != size || err != nil {
			t.Errorf("%s: %d of %d bytes, %v", name, n, size, err)
		}
	}
}
