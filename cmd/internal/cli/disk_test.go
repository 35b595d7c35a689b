package cli

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// smallDiskForTests is a folder that is a file system of its own, of a few MB, which tests
// fill; .ci/integration mounts one.
const smallDiskForTests = "ANAPLAN_RUNNER_TEST_SMALL_DISK"

// disk is a simulated tenant, and a small disk that holds nothing.
type disk struct {
	*killable
	at string
}

const ballast = "ballast"

// fill leaves so many bytes of the disk free, but for what its pages round.
func (d *disk) fill(free int64) {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.at, ballast))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	piece := make([]byte, 4096)
	size := int64(0)
	for range 64 << 20 / len(piece) {
		n, err := f.Write(piece)
		if size += int64(n); err != nil {
			if err := f.Truncate(max(0, size-free)); err != nil {
				d.t.Fatal(err)
			}
			return
		}
	}
	d.t.Fatalf("%s takes more than %d bytes: it is no small disk", d.at, size)
}

// clear makes space.
func (d *disk) clear() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.at, ballast)); err != nil {
		d.t.Fatal(err)
	}
}

// holds fails if the disk holds other files than these, besides the ballast, and those of a ledger.
func (d *disk) holds(want ...string) {
	d.t.Helper()
	var got []string
	err := filepath.WalkDir(d.at, func(path string, e fs.DirEntry, err error) error {
		path = strings.TrimPrefix(path, d.at+"/")
		if err == nil && !e.IsDir() && path != ballast && !strings.HasPrefix(path, "ledger.db") {
			got = append(got, path)
		}
		return err
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		d.t.Errorf("the files on the disk (-want +got): %v\n%s", err, diff)
	}
}

func (d *disk) file(name, want string) {
	d.t.Helper()
	if got, err := os.ReadFile(filepath.Join(d.at, name)); err != nil || string(got) != want {
		d.t.Errorf("%s holds %d bytes, want %d (%v)", name, len(got), len(want), err)
	}
}

func (d *disk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.at, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// job writes the job of all runs. DISK stands for the disk.
func (d *disk) job(steps string) {
	d.t.Helper()
	text := "name = \"nightly\"\nconnection = \"demo\"\nanaplan = { workspace = \"Finance\", model = \"Sales Hub\" }\n" +
		"[defaults]\nretry = { tries = 1 }\naccept = { failed = 100000, min_loaded = 0 }\n" + strings.ReplaceAll(steps, "DISK", d.at)
	if err := os.WriteFile(filepath.Join(d.dir, "nightly.toml"), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// does calls the program, which must end with this code and say all of this. It gives what
// was said.
func (d *disk) does(code int, stdin string, args []string, says ...string) string {
	d.t.Helper()
	process := exec.Command("anaplan-runner", args...)
	process.Env, process.Dir, process.Stdin = d.env, d.dir, strings.NewReader(stdin)
	said, err := process.CombinedOutput()
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		d.t.Fatal(err)
	}
	if got != code {
		d.t.Errorf("%v: code %d, want %d\n%s", args, got, code, said)
	}
	plain := strings.Join(strings.Fields(string(said)), " ") // as it was before lines were broken
	for _, want := range says {
		if !strings.Contains(plain, want) {
			d.t.Errorf("%v: it does not say %q\n%s", args, want, said)
		}
	}
	if bytes.Contains(said, []byte("panic")) || bytes.Contains(said, []byte("SIGBUS")) {
		d.t.Errorf("%v: %s", args, said)
	}
	return plain
}

func (d *disk) run(code int, says ...string) string {
	d.t.Helper()
	return d.does(code, "", []string{"run", "nightly.toml", "--run-id", "night"}, says...)
}

func (d *disk) resume(code int, says ...string) {
	d.t.Helper()
	d.does(code, "", []string{"resume", "night"}, says...)
}

// tasks fails if other objects than these were started, in order.
func (d *disk) tasks(want ...string) {
	d.t.Helper()
	var got []string
	for _, task := range d.sim.Tasks() {
		got = append(got, task.Object)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("the tasks (-want +got):\n%s", diff)
	}
}

// TestFullDisk lets the program write on a disk that is full.
func TestFullDisk(t *testing.T) {
	at := os.Getenv(smallDiskForTests)
	if at == "" {
		t.Skip("NOT TESTED: there is no small disk in " + smallDiskForTests + "; `.ci/integration disk` mounts one")
	}
	for _, story := range []struct {
		name string
		tell func(*disk)
	}{{"target", diskTarget}, {"marker", diskMarker}, {"source", diskSource}, {"stdin", diskStdin}, {"download", diskDownload},
		{"no ledger", diskNoLedger}, {"ledger", diskLedger}, {"ledger on the way", diskLedgerOnTheWay}, {"report", diskReport}} {
		t.Run(story.name, func(t *testing.T) {
			d := &disk{newKillable(t), at}
			defer func() {
				entries, err := os.ReadDir(at)
				for _, e := range entries {
					err = errors.Join(err, os.RemoveAll(filepath.Join(at, e.Name())))
				}
				if err != nil {
					t.Error(err)
				}
				for _, m := range d.sim.Misuse() {
					if !strings.Contains(m, "logged in again after") { // as each process does
						t.Errorf("misuse: %s", m)
					}
				}
			}()
			story.tell(d)
		})
	}
}

const diskIsFull = "no space left on device"

// exported is what the last export of the tenant wrote, by its digest and size.
func (d *disk) exported() string {
	d.t.Helper()
	tasks := d.sim.Tasks()
	for i := len(tasks) - 1; i >= 0; i-- {
		for _, w := range tasks[i].Wrote {
			return fmt.Sprintf("%s %d", w.SHA256, w.Bytes)
		}
	}
	d.t.Fatal("there was no export")
	return ""
}

func (d *disk) delivered(name string) {
	d.t.Helper()
	got, err := os.ReadFile(filepath.Join(d.at, name))
	if is := fmt.Sprintf("%s %d", sha256Of(got), len(got)); err != nil || is != d.exported() {
		d.t.Errorf("%s is %s, the export wrote %s (%v)", name, is, d.exported(), err)
	}
}

// diskTarget: an export that does not fit leaves the file of before, and nothing else.
func diskTarget(d *disk) {
	for _, free := range []int64{0, 4096} {
		d.write("out.csv", "of the night before")
		d.job("[[step]]\nname = \"load\"\nimport = \"Load Sales\"\nprompts = { Version = \"Actual\" }\nsource = \"data/sales.csv\"\n[[step]]\nname = \"copy\"\nprocess = \"Nightly Forecast\"\n[step.files.\"rates.csv\"]\nsource = \"data/rates.csv\"\n" +
			"[step.actions.\"Load Rates\"]\nprompts = { Version = \"Actual\" }\n" +
			"[[step]]\nname = \"publish\"\nexport = \"Forecast Output\"\ntarget = { path = \"DISK/out.csv\", keep = 1 }\n")
		d.fill(free)
		id := fmt.Sprint("night", free)
		d.does(65, "", []string{"run", "nightly.toml", "--run-id", id}, "publish: failed", "write "+d.at+"/out.csv: "+diskIsFull, "that the disk is not full", "anaplan-runner resume "+id, "exit code 65")
		d.holds("out.csv")
		d.file("out.csv", "of the night before")
		d.does(65, "", []string{"resume", id}, diskIsFull)
		d.holds("out.csv")
		d.clear()
		d.does(0, "", []string{"resume", id}, "exit code 0")
		d.holds("out.csv", "out.csv.1")
		d.delivered("out.csv")
		d.file("out.csv.1", "of the night before")
		if err := os.Remove(filepath.Join(d.at, "out.csv.1")); err != nil {
			d.t.Fatal(err)
		}
	}
}

// diskMarker: a marker that cannot be written is not there, and the run says that the
// target is.
func diskMarker(d *disk) {
	d.write("out.done", "of the night before")
	target := filepath.Join(d.dir, "out.csv")
	d.job("[[step]]\nname = \"publish\"\nexport = \"Store List\"\ntarget = { path = \"" + target + "\", done_marker = \"DISK/out.done\" }\n")
	d.fill(0)
	// The old marker's page is taken at once by what grows.
	d.inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.sim.ServeHTTP(w, r)
		if strings.Contains(r.URL.Path, "/chunks/") {
			if err := os.Truncate(filepath.Join(d.at, "out.done"), 0); err == nil {
				d.fill(0)
			}
		}
	})
	d.run(65, "write the marker "+d.at+"/out.done: ", diskIsFull, target+`" is in place already`)
	d.holds()
	d.inner = d.sim
	d.clear()
	d.resume(0)
	d.holds("out.done")
	if got, err := os.ReadFile(target); err != nil || fmt.Sprintf("%s %d", sha256Of(got), len(got)) != d.exported() {
		d.t.Errorf("the target holds %d bytes (%v)", len(got), err)
	}
}

// big is a source that this disk does not hold, and small one of the same rows.
func (d *disk) sources() (small, big string) {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "data", "products.csv"))
	if err != nil {
		d.t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	wide := []string{strings.TrimSuffix(lines[0], "\n") + ",Note\n"} // which no import reads
	for _, line := range lines[1 : len(lines)-1] {
		wide = append(wide, strings.TrimSuffix(line, "\n")+","+strings.Repeat("x", 2<<20/len(lines))+"\n")
	}
	return string(text), strings.Join(wide, "")
}

// diskSource: a remote source that the folder of the run does not hold is loaded in no part,
// and the ledger beside it tells so.
func diskSource(d *disk) {
	_, big := d.sources()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(big)) }))
	defer server.Close()
	d.env = append(d.env, "ANAPLAN_LEDGER="+filepath.Join(d.at, "ledger.db"))
	d.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = \"" + server.URL + "/products.csv\"\n")
	d.fill(1 << 20)
	d.run(65, "products.csv: it cannot be brought here", diskIsFull, "that there is room in the folder of the runner's files", "exit code 65")
	d.tasks()
	d.noSpool()
	d.clear()
	d.resume(0)
	d.tasks("Load Products")
	if got := d.sim.Tasks()[0].Read[0].SHA256; got != sha256Of([]byte(big)) {
		d.t.Errorf("it read %s", got)
	}
	d.noSpool()
}

// noSpool: nothing is left of what was brought here.
func (d *disk) noSpool() {
	d.t.Helper()
	left, err := filepath.Glob(filepath.Join(d.at, "ledger.db.runs", "*", "spool", "*"))
	if err != nil || len(left) > 0 {
		d.t.Error("left: ", left, err)
	}
}

// diskStdin: nor is a source on stdin, on demand, that the folder of temporary files does not hold.
func diskStdin(d *disk) {
	small, big := d.sources()
	d.env = append(d.env, "TMPDIR="+d.at)
	d.fill(1 << 20)
	load := []string{"exec", "import", "Load Products", "--source", "-", "--accept", "min_loaded=0"}
	d.does(65, big, load, "keep stdin in", diskIsFull, "disk is not full")
	upload := []string{"upload", "products.csv", "--source", "-"}
	d.holds()
	d.tasks()
	d.does(0, big, upload) // it needs no room
	d.does(0, small, load)
	d.holds()
	if got := d.sim.Tasks()[0].Read[0].SHA256; got != sha256Of([]byte(small)) {
		d.t.Errorf("it read %s", got)
	}
}

// diskDownload: targets on demand are whole or not there, too.
func diskDownload(d *disk) {
	d.does(0, "", []string{"exec", "export", "Store List", "--target", "stores.csv"})
	d.write("stores.csv.gz", "of the night before")
	d.fill(0)
	d.does(65, "", []string{"download", "Store List", "--target", filepath.Join(d.at, "stores.csv.gz")}, diskIsFull, "disk is not full")
	d.holds("stores.csv.gz")
	d.file("stores.csv.gz", "of the night before")
	d.does(65, "", []string{"exec", "export", "Store List", "--target", filepath.Join(d.at, "stores.csv.gz")}, diskIsFull, "disk is not full")
	d.holds("stores.csv.gz")
	d.file("stores.csv.gz", "of the night before")
}

const twoSteps = "[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = \"data/products.csv\"\n[[step]]\nname = \"banner\"\naction = \"Close banner\"\n"

// diskNoLedger: a ledger that cannot be made starts nothing.
func diskNoLedger(d *disk) {
	d.env = append(d.env, "ANAPLAN_LEDGER="+filepath.Join(d.at, "ledger.db"))
	d.job(twoSteps)
	for _, free := range []int64{0, 4096, 32 << 10} {
		d.fill(free)
		d.run(70, d.at+"/ledger.db: the disk is full → free space in "+d.at)
		d.tasks()
		if d.requests > 0 {
			d.t.Errorf("%d requests of a run that cannot be recorded", d.requests)
		}
	}
	d.clear()
	d.run(0)
	d.tasks("Load Products", "Close banner")
}

// diskLedger: so does one that is there, and has no room.
func diskLedger(d *disk) {
	d.env = append(d.env, "ANAPLAN_LEDGER="+filepath.Join(d.at, "ledger.db"))
	d.job(twoSteps)
	d.does(0, "", []string{"run", "nightly.toml", "--run-id", "before"})
	d.fill(0)
	d.run(70, d.at+"/ledger.db: the disk is full → free space in "+d.at)
	d.tasks("Load Products", "Close banner")
	d.does(70, "", []string{"runs"}, "the disk is full")
	d.clear()
	d.run(0)
	d.tasks("Load Products", "Close banner", "Load Products", "Close banner")
}

// diskLedgerOnTheWay: a ledger that has no room any more lets nothing else be started. What
// was started is known when it has, and is not started again.
func diskLedgerOnTheWay(d *disk) {
	d.env = append(d.env, "ANAPLAN_LEDGER="+filepath.Join(d.at, "ledger.db"))
	d.job(twoSteps)
	var done atomic.Bool
	d.inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.sim.ServeHTTP(w, r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tasks") && !done.Swap(true) {
			d.fill(0)
		}
	})
	said := d.run(70, "the ledger failed, so nothing more was started", "the disk is full", "anaplan-runner resume night", "exit code 70")
	d.tasks("Load Products")
	if task := d.sim.Tasks()[0].ID; !strings.Contains(said, task) {
		d.t.Errorf("it does not say that it started %s\n%s", task, said)
	}
	d.clear()
	d.resume(0)
	d.tasks("Load Products", "Close banner")
	if s, ok := d.recordedIn(filepath.Join(d.at, "ledger.db")); !ok || s.End == nil || s.End.Verdict != ledger.OK {
		d.t.Errorf("recorded: %v, %+v", ok, s.End)
	}
}

// diskReport: a report and a result that cannot be written leave those of before. The work
// was done, and the code says that something is missing.
func diskReport(d *disk) {
	d.job(twoSteps)
	for _, name := range []string{"report.html", "result.json"} {
		d.write(name, "of the night before")
	}
	d.fill(0)
	page, result := filepath.Join(d.at, "report.html"), filepath.Join(d.at, "result.json")
	d.does(65, "", []string{"run", "nightly.toml", "--result-file", result}, "--result-file "+result+": ", diskIsFull, "the work itself was done", "2 ok")
	d.does(65, "", []string{"run", "nightly.toml", "--report", page}, "--report "+page+": ", diskIsFull, "the work itself was done", "2 ok")
	d.holds("report.html", "result.json")
	for _, name := range []string{"report.html", "result.json"} {
		d.file(name, "of the night before")
	}
	d.clear()
	d.does(0, "", []string{"run", "nightly.toml", "--report", page, "--result-file", result})
	if got, err := os.ReadFile(page); err != nil || !bytes.Contains(got, []byte("</html>")) {
		d.t.Errorf("the report: %v", err)
	}
}

func sha256Of(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
