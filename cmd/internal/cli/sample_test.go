package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

func TestWriteSampleKeepsWhatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	files, err := writeSample(dir, "http://127.0.0.1:1", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	sales := filepath.Join(dir, "data", "sales.csv")
	if err := os.WriteFile(sales, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := writeSample(dir, "http://127.0.0.1:2", []byte("an authority"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if kept, _ := os.ReadFile(again.Key); string(kept) != string(key) {
		t.Error("the key was replaced")
	}
	if kept, _ := os.ReadFile(sales); string(kept) != "mine" {
		t.Error("data that somebody changed was replaced")
	}
	if diff := cmp.Diff(files.Data, again.Data); diff != "" || len(files.Data) < 9 {
		t.Errorf("data: %v %s", files.Data, diff)
	}
	saved, err := configs.LoadConnections(again.Connections, "", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	got, err := saved.Get("demo")
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Connection{Name: "demo", File: again.Connections, Dir: again.Dir,
		FirstLine: simulatorMark + " that listens on http://127.0.0.1:2: written again each time it starts.", APIURL: "http://127.0.0.1:2/2/0", AuthURL: "http://127.0.0.1:2",
		CA: filepath.Join(again.Dir, "ca.pem"), Method: "certificate", Certificates: []string{again.Certificate}, PrivateKeys: []string{again.Key}, Message: "v2", Header: "pem",
		RequestsPerMinute: 300, Workspace: configs.Ref{Name: "Finance"}, Model: configs.Ref{Name: "Sales Hub"}, Positions: got.Positions}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	id, err := keystore.Files{CertificatePath: again.Certificate, KeyPath: again.Key}.Load()
	if err != nil || id.Check(time.Now()) != nil {
		t.Errorf("the identity does not log in: %v", err)
	}
	if info, err := os.Stat(again.Key); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key can be read by others: %v %v", info.Mode(), err)
	}
}

func TestWriteSampleLeavesTheConnectionsOfOthers(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "connections.toml")
	if err := os.WriteFile(own, []byte("[connection.prod]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := writeSample(dir, "http://127.0.0.1:1", nil, time.Now())
	if err == nil || !strings.Contains(err.Error(), "not replaced") {
		t.Errorf("error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("something was written: %v", entries)
	}
}

func TestHalfAnIdentityIsNoIdentity(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "private-key.pem"), []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := writeSample(dir, "http://127.0.0.1:1", nil, time.Now())
	if err == nil || !strings.Contains(err.Error(), "only one of") {
		t.Errorf("error %v", err)
	}
}
