package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
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
	var got struct {
		Connection map[string]map[string]string `toml:"connection"`
	}
	if _, err := toml.DecodeFile(again.Connections, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{"sim": {"api_url": "http://127.0.0.1:2", "auth_url": "http://127.0.0.1:2", "ca": "ca.pem",
		"certificate": "certificate.pem", "private_key": "private-key.pem", "workspace": "Finance", "model": "Sales Hub"}}
	if diff := cmp.Diff(want, got.Connection); diff != "" {
		t.Error(diff)
	}
	id, err := keystore.PEM{CertificatePath: again.Certificate, KeyPath: again.Key}.Load()
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
