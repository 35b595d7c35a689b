//go:build !nostores

package cli

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	gocloud "gocloud.dev/blob"

	"github.com/anaplan-runner/anaplan-runner/jobs/data/blob"
)

// storesForTests are URLs of buckets on real servers; .ci/integration starts them.
const storesForTests = "ANAPLAN_RUNNER_TEST_STORES"

// objects are a folder of a bucket of its own, seen by the test, and through a gate by the
// runs of a simulated tenant.
type objects struct {
	*killable
	store  *blob.Store
	gate   *storeGate
	scheme string
	home   string // s3://bucket/folder/
	query  string // of the test
	asked  string // of the runs
}

// newObjects takes s3://bucket?parameters.
func newObjects(t *testing.T, where string) *objects {
	o := &objects{killable: newKillable(t), store: blob.New()}
	bucket, query, _ := strings.Cut(where, "?")
	o.scheme, _, _ = strings.Cut(where, "://")
	o.home = bucket + "/" + strings.ToLower(rand.Text()[:10]) + "/"
	parameters, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	server := os.Getenv("STORAGE_EMULATOR_HOST")
	switch o.scheme {
	case "s3":
		server = strings.TrimPrefix(parameters.Get("endpoint"), "http://")
	case "azblob":
		server = parameters.Get("domain")
		bucket, err := gocloud.OpenBucket(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		defer bucket.Close()
		var c *container.Client // its containers are made by requests alone
		bucket.As(&c)
		if _, err := c.Create(t.Context(), nil); err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
			t.Fatal(err)
		}
	}
	o.gate = newStoreGate(t, server, o.scheme != "gs")
	if o.scheme == "gs" {
		o.env = append(o.env, "STORAGE_EMULATOR_HOST="+o.gate.addr)
	}
	t.Cleanup(func() {
		for _, m := range o.sim.Misuse() {
			if !strings.Contains(m, "logged in again after") { // as each process does
				t.Errorf("misuse: %s", m)
			}
		}
	})
	if query != "" {
		o.query = "?" + query
		o.asked = strings.ReplaceAll(o.query, server, o.gate.addr)
	}
	return o
}

// name is that of an object for the runs.
func (o *objects) name(key string) string { return o.home + key + o.asked }

func (o *objects) put(key, text string) {
	o.t.Helper()
	w, err := o.store.Create(o.t.Context(), o.home+key+o.query)
	if err != nil {
		o.t.Fatal(err)
	}
	_, err = io.WriteString(w, text)
	if err = errors.Join(err, w.Ready(o.t.Context())); err != nil {
		o.t.Fatal(err)
	}
	if err := w.Commit(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// content is that of an object, unpacked by its ending.
func (o *objects) content(key string) string {
	o.t.Helper()
	r, _, err := o.store.Open(o.t.Context(), o.home+key+o.query)
	if err != nil {
		o.t.Error(err)
		return ""
	}
	defer r.Close()
	plain := io.Reader(r)
	switch filepath.Ext(key) {
	case ".gz":
		plain, err = gzip.NewReader(r)
	case ".zst":
		plain, err = zstd.NewReader(r)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		o.t.Error(err)
	}
	return string(b)
}

// keys are those of all objects in these folders.
func (o *objects) keys(folders ...string) (all []string) {
	o.t.Helper()
	for _, folder := range folders {
		found, err := o.store.List(o.t.Context(), o.home+folder+"/*"+o.query)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, e := range found {
			name, _, _ := strings.Cut(e.Name, "?")
			all = append(all, strings.TrimPrefix(name, o.home))
		}
	}
	return all
}

// job writes the job of all runs. Names of objects stand as <key>.
func (o *objects) job(steps string) {
	o.t.Helper()
	for {
		before, rest, ok := strings.Cut(steps, "<")
		if !ok {
			break
		}
		key, after, _ := strings.Cut(rest, ">")
		steps = before + o.name(key) + after
	}
	head := "name = \"nightly\"\nconnection = \"demo\"\nanaplan = { workspace = \"Finance\", model = \"Sales Hub\" }\n" +
		"[defaults]\nretry = { tries = 1 }\naccept = { failed = 1000, min_loaded = 0 }\n"
	if err := os.WriteFile(filepath.Join(o.dir, "nightly.toml"), []byte(head+steps), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// does calls the program, which must end with this code, and gives what it said.
func (o *objects) does(code int, args ...string) string {
	o.t.Helper()
	process := exec.Command("anaplan-runner", args...)
	process.Env, process.Dir = o.env, o.dir
	said, err := process.CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && e.ExitCode() != code || err == nil && code != 0 {
		o.t.Errorf("%v: %v, want code %d\n%s", args, err, code, said)
	}
	for _, secret := range []string{os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AZURE_STORAGE_KEY"), "use_path_style", "localemu"} {
		if secret != "" && bytes.Contains(said, []byte(secret)) {
			o.t.Errorf("%v: it shows %s\n%s", args, secret, said)
		}
	}
	return string(said)
}

// says fails if a text lacks one of these.
func (o *objects) says(said string, want ...string) {
	o.t.Helper()
	for _, w := range want {
		if !strings.Contains(said, w) {
			o.t.Errorf("it does not say %q\n%s", w, said)
		}
	}
}

// same fails if two texts differ, which it tells by their digests.
func (o *objects) same(what, got, want string) {
	o.t.Helper()
	if sum(got) != sum(want) {
		o.t.Errorf("%s: %d bytes of digest %s, want %d of %s", what, len(got), sum(got), len(want), sum(want))
	}
}

// read fails if the imports of the tenant did not read just these, in order.
func (o *objects) read(want ...string) {
	o.t.Helper()
	var got, sums []string
	for _, task := range o.sim.Tasks() {
		for _, r := range task.Read {
			got = append(got, r.SHA256)
		}
	}
	for _, w := range want {
		sums = append(sums, sum(w))
	}
	if diff := cmp.Diff(sums, got); diff != "" {
		o.t.Errorf("the digests of what the imports read (-want +got):\n%s", diff)
	}
}

// wrote is the digest of what the exports of the tenant wrote, one or more times the same.
func (o *objects) wrote(times int) string {
	o.t.Helper()
	var all []string
	for _, task := range o.sim.Tasks() {
		for _, w := range task.Wrote {
			all = append(all, w.SHA256)
		}
	}
	if len(all) != times || len(slices.Compact(all)) != 1 {
		o.t.Fatalf("the exports wrote %v", all)
	}
	return all[0]
}

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // it never fails
	_ = z.Close()
	return b.String()
}

// products are n rows of the sample's, from a place on, and the header.
func (o *objects) products(from, n int) string {
	o.t.Helper()
	all, err := os.ReadFile(filepath.Join(o.dir, "data", "products.csv"))
	if err != nil {
		o.t.Fatal(err)
	}
	lines := strings.SplitAfter(string(all), "\n")
	return lines[0] + strings.Join(lines[1+from:1+from+n], "")
}

// TestStores runs jobs whose sources and targets are objects, by the program and against
// real servers.
func TestStores(t *testing.T) {
	all := strings.Fields(os.Getenv(storesForTests))
	if len(all) == 0 {
		t.Skip("NOT TESTED: there are no buckets in " + storesForTests + "; `.ci/integration stores` makes some")
	}
	for _, where := range all {
		scheme, _, _ := strings.Cut(where, "://")
		for name, story := range map[string]func(*objects){"night": storesNight, "wait": storesWait, "wait_for_marker": storesWaitForMarker, "missing": storesMissing,
			"denied": storesDenied, "target_denied": storesTargetDenied, "down": storesDown, "killed_moving": storesKilledMoving, "killed_writing": storesKilledWriting} {
			t.Run(scheme+"/"+name, func(t *testing.T) {
				t.Parallel()
				story(newObjects(t, where))
			})
		}
	}
}

// storesNight: every kind of source is what its import read, every target what the export
// wrote, and sources go where the verdict sends them.
func storesNight(o *objects) {
	plain, zipped := o.products(0, 10), o.products(10, 11)
	o.put("in/plain.csv", plain)
	o.put("in/zipped.csv.gz", packed(zipped))
	o.put("in/day_1.csv", o.products(0, 1))
	for _, part := range []int{1, 2, 3} {
		o.put(fmt.Sprintf("parts/%d.csv", part), o.products(part*3, 3))
	}
	o.put("bad/short.csv", o.products(0, 2))
	o.put("out/forecast.csv", "of the night before")
	o.put("out/forecast.done", "of the night before")
	// Times are of seconds with some: one of this second would be no newer.
	for newest := 2; ; newest++ {
		o.put("in/day_2.csv", o.products(20, 2))
		if both, err := o.store.List(o.t.Context(), o.home+"in/day_*.csv"+o.query); err != nil || newest > 10000 {
			o.t.Fatal(err, newest)
		} else if both[1].Modified.After(both[0].Modified) {
			break
		}
	}
	o.job(`
[[step]]
name = "plain"
import = "Load Products"
source = { path = "<in/plain.csv>", after = { ok = "move:done/${run.date}/", else = "move:quarantine/" } }
[[step]]
name = "zipped"
import = "Load Products"
source = { path = "<in/zipped.csv.gz>", after = { ok = "move:<done/>" } }
[[step]]
name = "newest"
import = "Load Products"
source = { path = "<in/day_*.csv>", pick = "newest" }
[[step]]
name = "all"
import = "Load Products"
source = { path = "<parts/?.csv>", pick = "all", after = { ok = "move:done/" } }
[[step]]
name = "publish"
export = "Store List"
[[step.target]]
path = "<out/forecast.csv>"
done_marker = "<out/forecast.done>"
[[step.target]]
path = "<out/forecast.csv.gz>"
[[step.target]]
path = "<out/forecast.csv.zst>"
[[step.target]]
path = "forecast.csv"
keep = 1
[[step]]
name = "short"
import = "Load Products"
source = { path = "<bad/short.csv>", after = { ok = "move:done/", else = "move:../quarantine/" } }
guard = { min_rows = 100 }
`)
	if err := os.WriteFile(filepath.Join(o.dir, "forecast.csv"), []byte("of the night before"), 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.says(o.does(0, "check", "nightly.toml"), "parts/?.csv is there")
	o.says(o.does(65, "run", "nightly.toml", "--date", "2026-10-31", "--run-id", "night"), "short.csv", "guard min_rows", "code 65")
	header, _, _ := strings.Cut(plain, "\n")
	o.read(plain, zipped, o.products(20, 2), header+"\n"+strings.ReplaceAll(o.products(3, 9), header+"\n", ""))
	want := o.wrote(1)
	for _, key := range []string{"out/forecast.csv", "out/forecast.csv.gz", "out/forecast.csv.zst"} {
		if got := sum(o.content(key)); got != want {
			o.t.Errorf("%s has the digest %s, the export wrote %s", key, got, want)
		}
	}
	for path, text := range map[string]string{"forecast.csv": o.content("out/forecast.csv"), "forecast.csv.1": "of the night before"} {
		got, err := os.ReadFile(filepath.Join(o.dir, path))
		if err != nil {
			o.t.Error(err)
		}
		o.same(path, string(got), text)
	}
	o.says(o.content("out/forecast.done"), `"files":["`+o.home+`out/forecast.csv","`+o.home+`out/forecast.csv.gz","`, `"rows":`)
	o.same("moved to a folder of the day", o.content("in/done/2026-10-31/plain.csv"), plain)
	o.same("moved as it was", o.content("done/zipped.csv.gz"), zipped)
	if diff := cmp.Diff([]string{"in/day_1.csv", "in/day_2.csv", "parts/done/1.csv", "parts/done/2.csv", "parts/done/3.csv", "quarantine/short.csv"},
		o.keys("in", "parts", "parts/done", "bad", "quarantine")); diff != "" {
		o.t.Errorf("the objects (-want +got):\n%s", diff)
	}
	// Continued, once the guard is content, it reads the source from where it is.
	text, err := os.ReadFile(filepath.Join(o.dir, "nightly.toml"))
	if err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.dir, "nightly.toml"), bytes.Replace(text, []byte("min_rows = 100"), []byte("min_rows = 1"), 1), 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.does(0, "run", "nightly.toml", "--date", "2026-10-31", "--run-id", "night")
	if diff := cmp.Diff([]string{"bad/done/short.csv"}, o.keys("bad", "bad/done", "quarantine")); diff != "" {
		o.t.Errorf("the objects (-want +got):\n%s", diff)
	}
}

// storesWait: what comes after the first look is waited for.
func storesWait(o *objects) {
	var once sync.Once
	o.gate.watch(nil, nil, func(r *http.Request) {
		if strings.Contains(r.URL.String(), "late.csv") {
			once.Do(func() { o.put("in/late.csv", o.products(0, 5)) })
		}
	})
	o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = { path = \"<in/late.csv>\", wait_for = \"5m\" }\n")
	o.says(o.does(0, "run", "nightly.toml"), "waiting for "+o.home+"in/late.csv")
	o.read(o.products(0, 5))
}

// storesWaitForMarker: what is there is read when its marker comes.
func storesWaitForMarker(o *objects) {
	o.put("in/a.csv", o.products(0, 5))
	var once sync.Once
	o.gate.watch(nil, nil, func(r *http.Request) {
		if strings.Contains(r.URL.String(), "ready") {
			once.Do(func() {
				o.put("in/a.csv", o.products(5, 5))
				o.put("in/ready", "")
			})
		}
	})
	o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = { path = \"<in/a.csv>\", wait_for = { path = \"<in/ready>\", limit = \"5m\" } }\n")
	o.says(o.does(0, "run", "nightly.toml"), "waiting for the marker "+o.home+"in/ready")
	o.read(o.products(5, 5))
}

// storesMissing: an object or a bucket that is not there is input, 65.
func storesMissing(o *objects) {
	for path, says := range map[string]string{"<in/none.csv>": "none.csv: it is not there", "<in/none_*.csv>": "no file matches"} {
		o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = \"" + path + "\"\n")
		o.says(o.does(65, "check", "nightly.toml"), says)
		o.says(o.does(65, "run", "nightly.toml"), says, "find out why", "exit code 65")
	}
	o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = \"" + strings.Replace(o.name("in/a.csv"), "://nights/", "://no-such-nights/", 1) + "\"\n")
	o.says(o.does(65, "run", "nightly.toml"), "exit code 65")
	o.read()
}

// storesDenied: 77, wherever it is met, and which settings to look at.
func storesDenied(o *objects) {
	o.put("in/a.csv", o.products(0, 5))
	o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = \"<in/a.csv>\"\n")
	was := o.env
	switch o.scheme {
	case "s3":
		o.env = append(slices.Clone(was), "AWS_SECRET_ACCESS_KEY=wr0ng")
	case "azblob":
		o.env = append(slices.Clone(was), "AZURE_STORAGE_KEY=d3IwbmctYW5kLWxvbmctZW5vdWdo")
	case "gs": // whose emulator takes anybody: no credentials at all, and what Google says
		o.env = append(slices.Clone(was), "STORAGE_EMULATOR_HOST=", "GOOGLE_APPLICATION_CREDENTIALS="+filepath.Join(o.dir, "none.json"))
	}
	setting := map[string]string{"s3": "AWS_ACCESS_KEY_ID", "azblob": "AZURE_STORAGE_KEY", "gs": "GOOGLE_APPLICATION_CREDENTIALS"}[o.scheme]
	o.says(o.does(77, "check", "nightly.toml"), setting)
	o.says(o.does(77, "run", "nightly.toml", "--run-id", "night"), o.home+"in/a.csv: ", setting, "exit code 77")
	o.env = was
	o.gate.watch(everything, nil, nil)
	o.says(o.does(77, "resume", "night"), "the store answers 403", setting)
	o.gate.watch(nil, nil, nil)
	o.read()
	o.does(0, "resume", "night")
	o.read(o.products(0, 5))
}

// storesTargetDenied: an export whose target is refused leaves what was there, and is run
// again when the run is continued.
func storesTargetDenied(o *objects) {
	o.put("out/a.csv", "of the night before")
	o.job("[[step]]\nname = \"publish\"\nexport = \"Store List\"\ntarget = [\"here.csv\", \"<out/a.csv>\"]\n")
	o.gate.watch(writes, nil, nil)
	said := o.does(77, "run", "nightly.toml", "--run-id", "night")
	o.says(said, "write "+o.home+"out/a.csv: the store answers 403", "exit code 77")
	if o.scheme == "gs" {
		o.says(said, "here.csv\" is in place already")
	}
	o.gate.watch(nil, nil, nil)
	o.same("the target", o.content("out/a.csv"), "of the night before")
	if _, err := os.Stat(filepath.Join(o.dir, "here.csv")); (err == nil) != (o.scheme == "gs") {
		o.t.Errorf("one target without the other: %v", err) // Google hears of small objects when they take their place
	}
	o.does(0, "resume", "night")
	if got := sum(o.content("out/a.csv")); got != o.wrote(2) {
		o.t.Errorf("the target has the digest %s, want %s", got, o.wrote(2))
	}
}

// storesDown: a store that nobody hears is 75; the run goes on when it is there again.
func storesDown(o *objects) {
	o.put("in/a.csv", o.products(0, 5))
	o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = { path = \"<in/a.csv>\", after = { ok = \"move:done/\" } }\nahead = false\n" +
		"[[step]]\nname = \"publish\"\nexport = \"Store List\"\ntarget = \"<out/a.csv>\"\n")
	o.gate.shut()
	o.says(o.does(75, "run", "nightly.toml", "--run-id", "night"), o.home+"in/a.csv: dial tcp", "connection refused", "try again later", "exit code 75")
	o.read()
	// It comes back, and is gone again before the target.
	o.gate.open()
	o.gate.watch(nil, func(r *http.Request) {
		if strings.Contains(r.URL.String(), "out") {
			panic(http.ErrAbortHandler)
		}
	}, nil)
	o.says(o.does(75, "resume", "night"), "write "+o.home+"out/a.csv", "exit code 75")
	o.gate.watch(nil, nil, nil)
	o.does(0, "resume", "night")
	o.read(o.products(0, 5))
	if got := sum(o.content("out/a.csv")); got != o.wrote(2) {
		o.t.Errorf("the target has the digest %s, want %s", got, o.wrote(2))
	}
	if diff := cmp.Diff([]string{"in/done/a.csv"}, o.keys("in", "in/done")); diff != "" {
		o.t.Errorf("the objects (-want +got):\n%s", diff)
	}
}

// killAt ends the process at the first request of a kind: before the store hears of it, or
// after, when the answer is lost.
func (o *objects) killAt(kind func(*http.Request) bool, heard bool) {
	var once sync.Once
	kill := func(r *http.Request) {
		if !kind(r) {
			return
		}
		once.Do(func() {
			o.mu.Lock()
			_ = o.process.Kill()
			o.mu.Unlock()
			<-r.Context().Done() // its connections end with it
			panic(http.ErrAbortHandler)
		})
	}
	if heard {
		o.gate.watch(nil, nil, kill)
	} else {
		o.gate.watch(nil, kill, nil)
	}
}

// storesKilledMoving: a runner that dies while a source is moved, wherever, leaves one that
// another moves once.
func storesKilledMoving(o *objects) {
	o.job("[[step]]\nname = \"load\"\nimport = \"Load Products\"\nsource = { path = \"<in/?.csv>\", after = { ok = \"move:done/\" } }\n" +
		"[[step]]\nname = \"banner\"\naction = \"Close banner\"\n")
	o.put("in/done/a.csv", "of the night before")
	var want []string
	for i, moment := range []struct {
		kind  func(*http.Request) bool
		heard bool
	}{{copies, false}, {removes, false}, {removes, true}} {
		id, text := fmt.Sprintf("night%d", i), o.products(i*5, 5)
		want = append(want, text)
		o.put("in/a.csv", text)
		o.killAt(moment.kind, moment.heard)
		if code, killed := o.call("run", filepath.Join(o.dir, "nightly.toml"), "--run-id", id); !killed {
			o.t.Errorf("%s: it was not killed: code %d", id, code)
		}
		o.gate.watch(nil, nil, nil)
		o.does(0, "resume", id)
		o.says(o.does(0, "runs", "show", id), fmt.Sprintf("in/done/a-%d.csv", i+2))
		o.same(id, o.content(fmt.Sprintf("in/done/a-%d.csv", i+2)), text)
	}
	o.read(want...)
	if diff := cmp.Diff([]string{"in/done/a-2.csv", "in/done/a-3.csv", "in/done/a-4.csv", "in/done/a.csv"}, o.keys("in", "in/done")); diff != "" {
		o.t.Errorf("the objects (-want +got):\n%s", diff)
	}
	o.same("what lay there", o.content("in/done/a.csv"), "of the night before")
}

// storesKilledWriting: a runner that dies while a target takes its place leaves the old or
// the new one, and another delivers it without running the export again.
func storesKilledWriting(o *objects) {
	o.job("[[step]]\nname = \"publish\"\nexport = \"Store List\"\ntarget = { path = \"<out/a.csv>\", done_marker = \"<out/a.done>\" }\n")
	o.put("out/a.csv", "of the night before")
	for _, heard := range []bool{false, true} {
		o.killAt(makes, heard)
		args := []string{"run", filepath.Join(o.dir, "nightly.toml"), "--run-id", "night"}
		if heard {
			args = []string{"resume", "night"}
		}
		if code, killed := o.call(args...); !killed {
			o.t.Errorf("%v: it was not killed: code %d", args, code)
		}
		o.gate.watch(nil, nil, nil)
		if !heard {
			o.same("the target", o.content("out/a.csv"), "of the night before")
		}
	}
	o.does(0, "resume", "night")
	if got := sum(o.content("out/a.csv")); got != o.wrote(1) {
		o.t.Errorf("the target has the digest %s, want %s", got, o.wrote(1))
	}
	if diff := cmp.Diff([]string{"out/a.csv", "out/a.done"}, o.keys("out")); diff != "" {
		o.t.Errorf("the objects (-want +got):\n%s", diff)
	}
}
