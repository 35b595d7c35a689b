package cli

import (
	"flag"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

func TestMain(m *testing.M) {
	testscript.Main(waiters{m}, map[string]func(){
		"anaplan-runner": func() { os.Exit(Process().Main(os.Args[1:])) },
	})
}

// repository is its top level.
const repository = "../../.."

// waiters are tests that mostly wait: more of them than there are processors run at a time.
type waiters struct{ *testing.M }

func (w waiters) Run() int {
	if err := flag.Set("test.parallel", "4"); err != nil { // -parallel, which is read later, is stronger
		panic(err)
	}
	return w.M.Run()
}

// TestScripts runs testdata/script/*.txt with the real program. Each script has a
// simulator of its own, whose log of misuse has to be empty at the end, and whose faults
// must have fired. Around a script lie connections.toml with the connection "sim",
// cert.pem, key.pem, the same encrypted, and the sample's data; a file sim.toml in it changes the simulator.
func TestScripts(t *testing.T) {
	dir, files := filepath.Join("testdata", "script"), []string(nil)
	if testing.Short() { // under the race detector, whose processes are slow: where goroutines meet
		dir = ""
		for _, name := range []string{"demo", "signals", "stop_late", "interrupted", "cancel"} {
			files = append(files, filepath.Join("testdata", "script", name+".txt"))
		}
	}
	keystore := t.TempDir() // of those in its package others may read the keys, as git writes them
	if err := os.CopyFS(keystore, os.DirFS(filepath.Join("..", "..", "..", "auth", "keystore", "testdata"))); err != nil {
		t.Fatal(err)
	}
	if err := onlyMine(keystore); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds:                scriptCommands(),
		Setup: func(env *testscript.Env) error {
			files, err := identityOnce()
			if err != nil {
				return err
			}
			env.Setenv("KEYSTORE", keystore)
			return setup(env, files)
		},
	})
}

// onlyMine makes the files of a folder readable by their owner alone.
func onlyMine(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

// simulated is sim.toml: how the simulator of a script behaves.
type simulated struct {
	TokenLife time.Duration        `toml:"token_life"`
	Speed     float64              `toml:"speed"`
	Killed    bool                 `toml:"killed"`     // runners are killed, or waited for by others, which log in before they have logged out
	Misuse    bool                 `toml:"misuse"`     // the script misuses it on purpose
	Registry  string               `toml:"registered"` // folder in the script with the only certificates that log in
	Switches  simulator.Switches   `toml:"switches"`
	Faults    []simulator.Fault    `toml:"fault"`
	Strangers []simulator.Stranger `toml:"stranger"`
}

const scriptSpeed = 100

func setup(env *testscript.Env, files map[string][]byte) error {
	s := simulated{Speed: scriptSpeed}
	if data, err := os.ReadFile(filepath.Join(env.WorkDir, "sim.toml")); err == nil {
		meta, err := toml.Decode(string(data), &s)
		if err != nil {
			return err
		}
		if extra := meta.Undecoded(); len(extra) > 0 {
			return fmt.Errorf("sim.toml: unknown keys %v", extra)
		}
	}
	if s.Registry != "" {
		s.Registry = filepath.Join(env.WorkDir, s.Registry)
	}
	sim := simulator.New(sample.Company(), simulator.Options{TokenLife: s.TokenLife, Speed: s.Speed, Switches: &s.Switches, Faults: s.Faults, Strangers: s.Strangers, Registry: registry(s.Registry)})
	server := httptest.NewServer(sim)
	env.Defer(func() {
		server.Close()
		sim.Close()
		t := env.T().(testing.TB)
		misuse := sim.Misuse()
		if s.Killed {
			misuse = slices.DeleteFunc(misuse, func(m string) bool { return strings.Contains(m, "logged in again after") })
		}
		if len(misuse) > 0 != s.Misuse {
			t.Errorf("misuse: %v", misuse)
		}
		if left := sim.UnfiredFaults(); len(left) > 0 {
			t.Errorf("faults that never fired: %+v", left)
		}
	})
	connection := fmt.Sprintf("[connection.sim]\nurls = { api = \"%s/2/0\", auth = %q }\ncertificate = \"cert.pem\"\nprivate_key = \"key.pem\"\n"+
		"workspace = \"Finance\"\nmodel = \"Sales Hub\"\n", server.URL, server.URL)
	if err := write(env.WorkDir, "connections.toml", []byte(connection)); err != nil {
		return err
	}
	for name, data := range files {
		if err := write(env.WorkDir, name, data); err != nil {
			return err
		}
	}
	env.Setenv("SIM", server.URL)
	env.Setenv("KEYPASS", keyPassphrase)
	schemas, err := filepath.Abs(filepath.Join("..", "..", "..", "configs"))
	if err != nil {
		return err
	}
	env.Setenv("SCHEMAS", schemas)
	env.Setenv("ANAPLAN_SIMULATOR_SPEED", fmt.Sprint(s.Speed))
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
	return nil
}

// newIdentityFiles is what lies around every script: an identity, and the sample's data.
func newIdentityFiles() (map[string][]byte, error) {
	cert, key, err := sample.NewIdentity(sample.Email, time.Now())
	if err != nil {
		return nil, err
	}
	encrypted, err := encryptedKey(key)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"cert.pem": cert, "key.pem": key, "encrypted.pem": encrypted}
	return files, fs.WalkDir(sample.Data(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files["data/"+path], err = fs.ReadFile(sample.Data(), path)
		return err
	})
}

func write(dir, name string, data []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err == nil {
		return nil // the script has its own
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
