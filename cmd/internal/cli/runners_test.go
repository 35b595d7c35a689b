package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

// postgresForTests is the address of a PostgreSQL server; .ci/integration starts one.
const postgresForTests = "ANAPLAN_RUNNER_TEST_POSTGRES"

// ledgersOf are the ledgers that tests of several processes use, each of them new.
func ledgersOf(dir string) map[string]string {
	all := map[string]string{"sqlite": filepath.Join(dir, "ledger.db")}
	if address := os.Getenv(postgresForTests); address != "" {
		join := "?"
		if strings.Contains(address, "?") {
			join = "&"
		}
		all["postgres"] = address + join + "search_path=test_" + strings.ToLower(rand.Text())
	}
	return all
}

const oneOfMany = `name       = "job%[1]d"
connection = "demo"
timezone   = "UTC"

[anaplan]
workspace = "Finance"
model     = "Sales Hub"

[defaults]
accept = { failed = 1000, min_loaded = 0 }

[[step]]
name    = "load"
import  = "Load Sales"
source  = "sales%[1]d.csv"
prompts = { Version = "Actual" }

[[step]]
name   = "banner"
action = "Close banner"

[[step]]
name   = "publish"
export = "Forecast Output"
target = "out%[1]d.csv"
`

// TestManyRunners runs processes at the same time with one ledger, one login, one model
// and one server file. Never are two tasks of ours on the model: the simulator logs that as
// misuse. Each import reads the bytes of its own run.
func TestManyRunners(t *testing.T) {
	many := []int{2, 10}
	if testing.Short() {
		many = many[:1]
	}
	for _, runners := range many {
		for name := range ledgersOf("") {
			t.Run(fmt.Sprintf("%d/%s", runners, name), func(t *testing.T) { manyRunners(t, runners, name) })
		}
	}
}

func manyRunners(t *testing.T, runners int, ledgerName string) {
	k := newKillable(t)
	book := ledgersOf(k.dir)[ledgerName]
	sales, err := os.ReadFile(filepath.Join(k.dir, "data", "sales.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(sales), "\n")
	want := map[string]int{} // digests of the sources
	var together sync.WaitGroup
	for i := range runners {
		mine := strings.Join(lines[:20+i], "")
		want[fmt.Sprintf("%x", sha256.Sum256([]byte(mine)))]++
		for path, text := range map[string]string{fmt.Sprintf("sales%d.csv", i): mine, fmt.Sprintf("job%d.toml", i): fmt.Sprintf(oneOfMany, i)} {
			if err := os.WriteFile(filepath.Join(k.dir, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		together.Go(func() {
			cmd := exec.Command("anaplan-runner", "run", filepath.Join(k.dir, fmt.Sprintf("job%d.toml", i)))
			cmd.Env = append(k.env[:len(k.env):len(k.env)], "ANAPLAN_LEDGER="+book)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("runner %d: %v\n%s", i, err, out)
			}
		})
	}
	together.Wait()
	for _, m := range k.sim.Misuse() {
		if !strings.Contains(m, "logged in again after") { // they share a login
			t.Errorf("misuse: %s", m)
		}
	}
	tasks := k.sim.Tasks()
	if len(tasks) != 3*runners {
		t.Errorf("%d tasks of %d runners", len(tasks), runners)
	}
	for i, a := range tasks {
		if a.User != sample.Email {
			t.Errorf("%+v", a)
		}
		for _, b := range tasks[i+1:] {
			if a.Created.Before(b.Ended) && b.Created.Before(a.Ended) {
				t.Errorf("%s and %s were on the model at once", a.Object, b.Object)
			}
		}
		for _, r := range a.Read {
			want[r.SHA256]--
		}
	}
	for digest, n := range want {
		if n != 0 {
			t.Errorf("the source %s was loaded %d times", digest, 1-n)
		}
	}
}
