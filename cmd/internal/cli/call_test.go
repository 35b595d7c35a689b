package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// called is what a call of the program wrote, and its exit code.
type called struct {
	out, err string
	code     int
}

// call runs the program in this process, with nothing in its environment but env, in
// pairs, and without a terminal.
func call(env []string, args ...string) called {
	var out, errs bytes.Buffer
	p := &Program{In: strings.NewReader(""), Out: &out, Err: &errs, Now: time.Now, Getenv: func(name string) (string, bool) {
		for i := 0; i+1 < len(env); i += 2 {
			if env[i] == name {
				return env[i+1], true
			}
		}
		return "", false
	}}
	code := p.Main(args)
	return called{out: out.String(), err: errs.String(), code: code}
}

// identityOnce makes the certificate that all tests log in with: it takes its time.
var identityOnce = sync.OnceValues(newIdentityFiles)

// identityFiles writes a certificate of the sample's user with its key.
func identityFiles(t *testing.T) (certificate, key string) {
	t.Helper()
	files, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, data := range map[string][]byte{certificate: files["cert.pem"], key: files["key.pem"]} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
