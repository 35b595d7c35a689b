package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

// scriptCommands are those of the scripts besides testscript's own.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":    scriptExits,
		"golden":   scriptGolden,
		"waitfor":  scriptWaitFor,
		"capture":  scriptCapture,
		"start":    scriptStart,
		"get":      scriptGet,
		"identity": scriptIdentity,
	}
}

// scriptExits is `exits CODE PROGRAM ARGUMENTS`: the program must end with this code.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENTS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptWaitFor is `waitfor FILE PATTERN`: waits until a program in the background has
// written it.
func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE PATTERN")
	}
	pattern := regexp.MustCompile("(?m)" + args[1])
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && pattern.Match(data) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never held %q; it holds\n%s", args[0], args[1], data)
		}
	}
}

// scriptCapture is `capture VARIABLE FILE PATTERN`: sets a variable to what the pattern's
// group matches. The file may be stdout or stderr.
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture VARIABLE FILE PATTERN")
	}
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s does not match %q with one group", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// scriptGet is `get STATUS URL [AUTHORITY]`: the answer to a GET must have this status, 0
// if there must be none. AUTHORITY is a PEM file of whom TLS trusts.
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: get STATUS URL [AUTHORITY]")
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	if len(args) == 3 {
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(ts.ReadFile(args[2])))
	}
	status := 0
	answer, err := (&http.Client{Transport: transport}).Get(args[1])
	if err == nil {
		answer.Body.Close()
		status = answer.StatusCode
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("answer %d, want %s (%v)", status, args[0], err)
	}
}

// scriptIdentity makes NAME.pem and NAME.key, which end in that many days and began a year before then.
func scriptIdentity(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: identity NAME EMAIL DAYS")
	}
	days, err := strconv.Atoi(args[2])
	ts.Check(err)
	cert, key, err := sample.NewIdentity(args[1], time.Now().AddDate(-1, 0, 0).Add(time.Duration(days)*24*time.Hour+time.Hour))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pem"), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), key, 0o600))
}

// scriptGolden is `golden NAME`: the JSON object that is the last line of stdout, with
// what differs each time replaced, must be testdata/json/NAME.json. UPDATE_SCRIPTS writes it.
func scriptGolden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: golden NAME")
	}
	lines := strings.Split(strings.TrimRight(ts.ReadFile("stdout"), "\n"), "\n")
	var object map[string]any
	d := json.NewDecoder(strings.NewReader(lines[len(lines)-1]))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		ts.Fatalf("the last line of stdout is no JSON object: %v", err)
	}
	if object["schema"] != json.Number("1") {
		ts.Fatalf("schema is %v", object["schema"])
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	ts.Check(enc.Encode(normal("", object, strings.NewReplacer(ts.Getenv("WORK"), "$WORK", ts.Getenv("SIM"), "$SIM"))))
	path := filepath.Join("testdata", "json", args[0]+".json")
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, b.Bytes(), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	ts.Check(err)
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		ts.Fatalf("%s (-want +got):\n%s", path, diff)
	}
}

// volatile are keys whose values differ each time.
var volatile = map[string]string{"serial": "SERIAL", "fingerprint_sha256": "FINGERPRINT", "freed_bytes": "BYTES", "task": "TASK", "clock_difference_s": "SECONDS", "life_s": "SECONDS", "version": "VERSION", "seconds": "SECONDS", "go": "GO", "system": "SYSTEM", "days_left": "DAYS", "token": "TOKEN",
	"queued_s": "SECONDS", "wire_bytes": "BYTES", "bytes_per_s": "RATE", "duration_s": "SECONDS"}

var (
	timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	address   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	base64s   = regexp.MustCompile(`[A-Za-z0-9+/]{80,}={0,2}`)
	day       = regexp.MustCompile(`20(2[7-9]|[3-9]\d)-\d\d-\d\d`) // scripts set days of 2026
	process   = regexp.MustCompile(`process \d+ of \S+ on \S+, since [0-9: -]{19}`)
	dumpFile  = regexp.MustCompile(`_rejected_[0-9A-F]{8}`)
)

// normal replaces what differs each time.
func normal(key string, v any, places *strings.Replacer) any {
	switch v := v.(type) {
	case map[string]any:
		if key == "runner" {
			v["host"], v["pid"], v["user"] = "HOST", "PID", "USER"
		}
		for k, e := range v {
			v[k] = normal(k, e, places)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = normal(key, e, places)
		}
		return v
	case string:
		if to, ok := volatile[key]; ok && v != "" {
			return to
		}
		v = filepath.ToSlash(places.Replace(v))
		v = process.ReplaceAllString(v, "PROCESS")
		v = address.ReplaceAllString(timestamp.ReplaceAllString(v, "TIME"), "ADDRESS")
		v = dumpFile.ReplaceAllString(day.ReplaceAllString(v, "DAY"), "_rejected_TASK")
		return base64s.ReplaceAllStringFunc(v, func(s string) string {
			if strings.Contains(s, "/workspaces/") {
				return s // a path
			}
			return "BASE64"
		})
	case json.Number:
		if to, ok := volatile[key]; ok {
			return to
		}
	}
	return v
}

// keyPassphrase opens encrypted.pem. It must never be printed.
const keyPassphrase = "canary-in-the-passphrase"

// encryptedKey encrypts a PKCS#8 key the legacy way, for which the standard library suffices.
func encryptedKey(plain []byte) ([]byte, error) {
	block, _ := pem.Decode(plain)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	der := x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))
	//lint:ignore SA1019 the standard library encrypts keys in no other way, and such are met in the field
	block, err = x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", der, []byte(keyPassphrase), x509.PEMCipherAES256)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}
