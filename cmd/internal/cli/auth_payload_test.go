package cli

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

// TestPayloadIsWhatAnaplanAsksFor verifies header, message and signature of every form.
func TestPayloadIsWhatAnaplanAsksFor(t *testing.T) {
	certificate, key := identityFiles(t)
	for _, format := range []string{"v2", "v1"} {
		for _, form := range []string{"pem", "der"} {
			got := call(nil, "auth", "payload", "--certificate", certificate, "--private-key", key, "--format", format, "--header-form", form, "--output", "json")
			if got.code != 0 {
				t.Fatalf("%s %s: %d %s", format, form, got.code, got.err)
			}
			var r map[string]any
			if err := json.Unmarshal([]byte(got.out), &r); err != nil {
				t.Fatal(err)
			}
			public := headerKey(t, r["header"].(string), form)
			message, signature := decoded(t, r["encodedData"]), decoded(t, r["encodedSignedData"])
			sum := sha512.Sum512(message)
			if err := rsa.VerifyPKCS1v15(public, crypto.SHA512, sum[:], signature); err != nil {
				t.Errorf("%s %s: %v", format, form, err)
			}
			_, hasFormat := r["encodedDataFormat"]
			if format == "v2" {
				stamp := time.Unix(int64(binary.BigEndian.Uint64(message)), 0)
				if len(message) != 100 || time.Since(stamp).Abs() > time.Minute || r["encodedDataFormat"] != "v2" {
					t.Errorf("v2: %d bytes of %s, format %v", len(message), stamp, r["encodedDataFormat"])
				}
			} else if len(message) < 100 || hasFormat {
				t.Errorf("v1: %d bytes, format field %v", len(message), hasFormat)
			}
			if warned := strings.Contains(got.err, "again and again until the certificate ends"); warned != (format == "v1") {
				t.Errorf("%s: stderr %q", format, got.err)
			}
		}
	}
}

// TestPayloadOfReferencesIsWhole: a certificate that a reference gave is no secret in what was asked for.
func TestPayloadOfReferencesIsWhole(t *testing.T) {
	files, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"pem", "der"} {
		got := call([]string{"CERT", string(files["cert.pem"]), "KEY", string(files["key.pem"])}, "auth", "payload", "--certificate", "env:CERT", "--private-key", "env:KEY", "--output", "json", "--header-form", form)
		var r struct{ Header string }
		if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 {
			t.Fatalf("%s: code %d, %v: %s", form, got.code, err, got.err)
		}
		headerKey(t, r.Header, form)
	}
}

// headerKey is the key of the certificate in a header value.
func headerKey(t *testing.T, header, form string) *rsa.PublicKey {
	t.Helper()
	value, ok := strings.CutPrefix(header, "CACertificate ")
	der := decoded(t, value)
	if block, _ := pem.Decode(der); form == "pem" && block != nil {
		der = block.Bytes
	}
	c, err := x509.ParseCertificate(der)
	if !ok || err != nil {
		t.Fatalf("header %.40q: %v", header, err)
	}
	return c.PublicKey.(*rsa.PublicKey)
}

func decoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(v.(string))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPayloadTextHasEachValueOnItsLine is what one copies into Postman.
func TestPayloadTextHasEachValueOnItsLine(t *testing.T) {
	certificate, key := identityFiles(t)
	got := call([]string{"ANAPLAN_CERTIFICATE", certificate, "ANAPLAN_PRIVATE_KEY", key, "ANAPLAN_REGION", "eu3"}, "auth", "payload")
	if got.code != 0 {
		t.Fatal(got.err)
	}
	parts := strings.Split(strings.TrimSpace(got.out), "\n\n")
	var titles []string
	values := map[string]string{}
	for _, part := range parts {
		title, value, _ := strings.Cut(part, "\n")
		titles = append(titles, title)
		values[title] = value
	}
	if want := "URL (POST)|Header Authorization|Header Content-Type|encodedDataFormat|encodedData|encodedSignedData|Body (raw, JSON)"; strings.Join(titles, "|") != want {
		t.Errorf("titles %v", titles)
	}
	if values["URL (POST)"] != "https://eu3.auth.anaplan.com/token/authenticate" {
		t.Errorf("url %q", values["URL (POST)"])
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(values["Body (raw, JSON)"]), &body); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"encodedDataFormat", "encodedData", "encodedSignedData"} {
		if body[k] == "" || body[k] != values[k] {
			t.Errorf("%s: %q in the body, %q above", k, body[k], values[k])
		}
	}
}

// TestPayloadFileIsOnlyItsOwners also where there was a file that others could read.
func TestPayloadFileIsOnlyItsOwners(t *testing.T) {
	certificate, key := identityFiles(t)
	out := filepath.Join(t.TempDir(), "payload.json")
	if err := os.WriteFile(out, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := call(nil, "auth", "payload", "--certificate", certificate, "--private-key", key, "--output", "json", "--out", out)
	if got.code != 0 || got.out != "" {
		t.Fatalf("%d, stdout %q, stderr %q", got.code, got.out, got.err)
	}
	data, err := os.ReadFile(out)
	if err != nil || !json.Valid(data) {
		t.Errorf("%v: %.60q", err, data)
	}
	if info, err := os.Stat(out); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestCurlLogsIn runs the printed commands against the simulator. The request that curl
// makes of them is made here likewise, so that the check does not need curl; with
// ANAPLAN_RUNNER_INTEGRATION=1 curl itself is needed, and run.
func TestCurlLogsIn(t *testing.T) {
	certificate, key := identityFiles(t)
	sim := simulator.New(sample.Company(), simulator.Options{})
	defer sim.Close()
	server := httptest.NewServer(sim)
	defer server.Close()
	out := filepath.Join(t.TempDir(), "for curl")
	for _, args := range [][]string{nil, {"--out", out}, {"--format", "v1", "--header-form", "der"}} {
		payload := append([]string{"auth", "payload", "--certificate", certificate, "--private-key", key, "--auth-url", server.URL, "--output", "curl"}, args...)
		got := call(nil, payload...)
		if got.code != 0 {
			t.Fatal(got.err)
		}
		command, config, _ := strings.Cut(got.out, "\n")
		if len(args) == 2 && args[0] == "--out" {
			data, err := os.ReadFile(out)
			if err != nil || command != "curl --config "+quoted(out) {
				t.Fatalf("%q %v", command, err)
			}
			config = string(data)
		} else if command != "curl --config - <<'END'" || !strings.HasSuffix(config, "\nEND\n") {
			t.Fatalf("command %q … %q", command, config[max(0, len(config)-20):])
		}
		if os.Getenv("ANAPLAN_RUNNER_INTEGRATION") == "1" {
			shell := exec.Command("sh")
			shell.Stdin = strings.NewReader(got.out)
			answer, err := shell.CombinedOutput()
			if err != nil || !bytes.Contains(answer, []byte("Login successful")) {
				t.Errorf("curl: %v %s", err, answer)
			}
			got = call(nil, payload...) // a v2 message is good once
			config = got.out
			if data, err := os.ReadFile(out); err == nil && len(args) > 0 && args[0] == "--out" {
				config = string(data)
			}
		}
		if status, answer := asCurl(t, config); status != http.StatusCreated {
			t.Errorf("%v: answer %d %s", args, status, answer)
		}
	}
}

// asCurl sends what a configuration of curl describes.
func asCurl(t *testing.T, config string) (int, string) {
	t.Helper()
	options := map[string][]string{}
	for line := range strings.Lines(config) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if ok {
			value = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(value[1 : len(value)-1])
			options[name] = append(options[name], value)
		}
	}
	r, err := http.NewRequest(http.MethodPost, options["url"][0], strings.NewReader(options["data"][0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range options["header"] {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}
