package simulator

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const bob = "bob@example.com"

func TestAStrangerComesAfterARequest(t *testing.T) {
	o := Options{Strangers: []Stranger{{
		Moment: Moment{Method: "POST", Path: `/imports/\d+/tasks$`, Nth: 2, After: 10 * time.Second},
		User:   bob, Model: "Hub", Kind: "import", Object: "Load Shops", Upload: "Shop,Code,Region,Opened\nRome,S2,EMEA,\n",
	}}}
	inBubble(t, o, func(tn *tenant) {
		tn.upload("shops.csv", "Shop,Code,Region,Opened\nOslo,S3,EMEA,\n")
		tn.finish(tn.start("Hub", "Load Shops", ""))
		time.Sleep(time.Minute)
		if n := len(tn.s.Tasks()); n != 1 {
			t.Fatalf("%d tasks before the second start", n)
		}
		tn.finish(tn.start("Hub", "Load Shops", ""))
		time.Sleep(time.Minute)
		all := tn.s.Tasks()
		if len(all) != 3 {
			t.Fatalf("%d tasks", len(all))
		}
		mine, theirs := all[1], all[2]
		if !theirs.Stranger || theirs.User != bob || theirs.Request != -1 || theirs.Created.Sub(mine.Created) != 10*time.Second || !theirs.Successful {
			t.Errorf("the stranger's task: %+v", theirs)
		}
		if r := tn.s.Requests()[mine.Request]; mine.Stranger || r.Method != "POST" || !strings.HasSuffix(r.Path, "/tasks") || !r.At.Equal(mine.Created) {
			t.Errorf("our task: %+v by %+v", mine, r)
		}
		data := "Shop,Code,Region,Opened\nRome,S2,EMEA,\n"
		want := Data{Object: "Load Shops", File: "shops.csv", Bytes: len(data), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(data)))}
		if len(theirs.Read) != 1 || theirs.Read[0] != want {
			t.Errorf("they read %+v, want %+v", theirs.Read, want)
		}
		tn.wantNoMisuse()
	})
}

func TestAStrangerMayBeTheUserFromElsewhere(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		id := tn.s.Start(Stranger{User: "ada@example.com", Model: "Finance/Hub", Kind: "action", Object: "Order"})
		var listed struct{ Tasks []struct{ TaskID string } }
		tn.call("GET", tn.object("Hub", "Order")+"/tasks", "", &listed)
		if len(listed.Tasks) != 1 || listed.Tasks[0].TaskID != id {
			t.Errorf("listed are %+v, started was %s", listed, id)
		}
		var status struct {
			RequestStatus struct{ TaskID, Tooltip string }
		}
		tn.call("GET", tn.model("Hub")+"/status", "", &status)
		if s := status.RequestStatus; s.TaskID != id || !strings.Contains(s.Tooltip, `"Order"`) || !strings.Contains(s.Tooltip, "ada@example.com") {
			t.Errorf("status %+v", s)
		}
		tn.finish(tn.start("Hub", "Order", "")) // waits behind it, and is no misuse
		tn.wantNoMisuse()
	})
}

func TestSpells(t *testing.T) {
	for _, test := range []struct {
		what                      string
		tasks, imports, start, me int // statuses
		listed                    int
	}{
		{"no_access", 200, 404, 404, 200, 0},
		{"archived", 200, 200, 422, 200, 2},
		{"locked", 200, 200, 423, 200, 2},
		{"offline", 200, 200, 424, 200, 2},
		{"page", 503, 503, 503, 503, 0},
	} {
		t.Run(test.what, func(t *testing.T) {
			o := Options{Spells: []Spell{{Moment: Moment{After: time.Minute}, What: test.what, For: time.Minute}}}
			inBubble(t, o, func(tn *tenant) {
				tn.finish(tn.start("Hub", "Order", ""))
				ask := func() (statuses [4]int, tasks int) {
					var listed struct{ Tasks []any }
					path := tn.object("Hub", "Order") + "/tasks"
					var page []byte
					statuses[0] = tn.call("GET", path, "", &page)
					if statuses[0] == 200 {
						tn.call("GET", path, "", &listed)
					}
					statuses[1] = tn.call("GET", tn.model("Hub")+"/imports", "", nil)
					statuses[2] = tn.call("POST", path, `{"localeName":"en_US"}`, nil)
					statuses[3] = tn.call("GET", "/users/me", "", nil)
					return statuses, len(listed.Tasks)
				}
				all := [4]int{200, 200, 200, 200}
				if got, tasks := ask(); got != all || tasks != 1 {
					t.Errorf("before: %v, %d tasks", got, tasks)
				}
				time.Sleep(time.Minute)
				got, tasks := ask()
				if want := [4]int{test.tasks, test.imports, test.start, test.me}; got != want {
					t.Errorf("under the spell: %v, want %v", got, want)
				}
				if tasks != test.listed {
					t.Errorf("%d tasks are listed, want %d", tasks, test.listed)
				}
				time.Sleep(time.Minute)
				if got, tasks := ask(); got != all || tasks != 2 {
					t.Errorf("after: %v, %d tasks", got, tasks)
				}
				tn.wantNoMisuse()
			})
		})
	}
}

func TestASpellOfOneModelThatHangs(t *testing.T) {
	for _, what := range []string{"hang", "loading"} {
		o := Options{Spells: []Spell{{Moment: Moment{Path: "/users/me", After: 5 * time.Second}, Model: "Hub", What: what, For: 3 * time.Minute}}}
		inBubble(t, o, func(tn *tenant) {
			tn.call("GET", "/users/me", "", nil)
			time.Sleep(10 * time.Second)
			began := time.Now()
			tn.call("GET", tn.model("Hub")+"/imports", "", nil)
			if took := time.Since(began); took != 3*time.Minute-5*time.Second {
				t.Errorf("%s: the call took %s", what, took)
			}
			tn.wantNoMisuse()
		})
	}
}

func TestACancelThatIsLostOrSlow(t *testing.T) {
	for _, test := range []struct {
		switches Switches
		want     string
		after    time.Duration
	}{
		{Switches{CancelTime: 10 * time.Minute}, cancelled, 10 * time.Minute},
		{Switches{CancelTime: 10 * time.Minute, CancelLost: true}, complete, 10 * time.Minute},
		{Switches{TooLate: 1}, complete, 9 * time.Second},
	} {
		inBubble(t, Options{Switches: &test.switches}, func(tn *tenant) {
			tn.upload("shops.csv", "Shop,Code,Region,Opened\nOslo,S3,EMEA,\n")
			path := tn.start("Hub", "Load Shops", "")
			time.Sleep(time.Second)
			if status := tn.call("DELETE", path, "", nil); status != http.StatusOK {
				t.Fatal(status)
			}
			time.Sleep(test.after - time.Second/2)
			if state := tn.task(path).Task.TaskState; state == test.want {
				t.Errorf("%+v: already %s", test.switches, state)
			}
			time.Sleep(time.Second)
			if state := tn.task(path).Task.TaskState; state != test.want {
				t.Errorf("%+v: %s, want %s", test.switches, state, test.want)
			}
		})
	}
}

func TestSpellsAndStrangersInData(t *testing.T) {
	c := company(t, `
[[spell]]
model = "Hub"
what = "loading"
for = "5m"
path = "/tasks$"
nth = 2
[[stranger]]
user = "bob@example.com"
model = "Hub"
kind = "import"
object = "Load Sales"
prompts = { Version = "Actual" }
after = "1h"
[[fault]]
path = "/tasks$"
status = 200
body = "no_rows"
`)
	if s, v := c.Spells[0], c.Strangers[0]; s.Nth != 2 || s.For != 5*time.Minute || v.After != time.Hour || v.Prompts["Version"] != "Actual" {
		t.Errorf("%+v\n%+v", s, v)
	}
	for more, want := range map[string]string{
		"[[spell]]\nwhat = 'rain'":              `spell 1: what "rain"`,
		"[[spell]]\nwhat = 'page'\nmodel = 'X'": `spell 1: there is no model "X"`,
		"[[spell]]\nwhat = 'page'\npath = '('":  "spell 1: path",
		"[[spell]]\nwhat = 'page'\nfor = '-1s'": "for must not",
		"[[stranger]]\nuser = 'x'":              `stranger 1: there is no user "x"`,
		"[[stranger]]\nuser = 'bob@example.com'\nmodel = 'Hub'\nkind = 'export'\nobject = 'x'":             `no export "x"`,
		"[[stranger]]\nuser = 'bob@example.com'\nmodel = 'Hub'\nkind = 'action'\nobject = 'Order'\nnth=-1": "must not be negative",
	} {
		if _, err := Load(strings.NewReader(small + more)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", more, err, want)
		}
	}
}

func TestAListWithoutRowsByAFault(t *testing.T) {
	withFaults(t, "[[fault]]\npath = '/tasks$'\nmethod = 'GET'\nstatus = 200\nbody = 'no_rows'", func(tn *tenant) {
		tn.finish(tn.start("Hub", "Order", ""))
		for _, want := range []int{0, 1} {
			var listed struct{ Tasks []any }
			if status := tn.call("GET", tn.object("Hub", "Order")+"/tasks", "", &listed); status != 200 || len(listed.Tasks) != want {
				t.Errorf("%d, %d tasks, want %d", status, len(listed.Tasks), want)
			}
		}
	})
}
