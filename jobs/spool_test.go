package jobs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestSpoolsOfDeadRunnersAreSwept: what a killed runner had brought here is removed by the
// next one, of whatever run, and never what a runner has that lives.
func TestSpoolsOfDeadRunnersAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		failing := func() ledger.ID {
			s := n.run(t.Context(), salesFrom(n, "none.csv"))
			if s.End.Code != 65 {
				t.Fatal(messages(s))
			}
			return s.Created.ID
		}
		spool := func(id ledger.ID) string { return "runs/" + ledger.DirName(id) + "/spool" }
		dead, live := failing(), failing()
		strange := "runs/another_ledger_000000000000/spool"
		leave := func(folder, name string) { n.put(folder+"/"+name, "people's data") }
		leave(spool(dead), "source-1.tmp")
		leave(spool(dead), "guard-1")
		leave(spool(live), "source-1.tmp")
		leave(strange, "source-1.tmp")
		if err := os.Symlink(n.dir, filepath.Join(n.dir, spool(dead), "link")); err != nil {
			t.Fatal(err)
		}
		lease, err := n.ledger.Take(t.Context(), ledger.RunKey(live), ledger.Holder{Run: live})
		if err != nil {
			t.Fatal(err)
		}
		last := failing()
		check := func(what string, want ...string) {
			t.Helper()
			slices.Sort(want)
			if diff := cmp.Diff(want, n.files(strange, spool(dead), spool(live), spool(last))); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		check("one is alive", strange+"/source-1.tmp", spool(dead)+"/link", spool(live)+"/source-1.tmp")

		lease.Release()
		closed := n.run(t.Context(), loadSales(n, 1000)) // on another machine, after what was left here
		if !closed.Closed() {
			t.Fatal(messages(closed))
		}
		leave(spool(closed.Created.ID), "source-1.tmp")
		leave(spool(last), "source-2.tmp")
		n.resume(last, Continuation{})
		check("nobody is alive, and a run is continued", strange+"/source-1.tmp", spool(dead)+"/link")
		if left := n.files(spool(closed.Created.ID)); len(left) > 0 {
			t.Errorf("of the run that another machine has closed: %q", left)
		}
	})
}

// latecomer is a ledger on which a runner takes a dead run over while another one asks who
// has it, a moment too early to see it.
type latecomer struct {
	ledger.Ledger
	comes func()
}

func (l latecomer) Holder(ctx context.Context, key ledger.Key) (*ledger.Holder, error) {
	by, err := l.Ledger.Holder(ctx, key)
	l.comes()
	return by, err
}

// TestSpoolOfARunThatIsTakenOver: a runner that comes at this moment keeps what it brings.
func TestSpoolOfARunThatIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		dead := n.run(t.Context(), salesFrom(n, "none.csv")).Created.ID
		spool := "runs/" + ledger.DirName(dead) + "/spool"
		n.put(spool+"/source-1.tmp", "of the dead one")
		n.runner.Ledger = latecomer{n.ledger, func() { n.put(spool+"/source-2.tmp", "of the new one") }}
		n.run(t.Context(), salesFrom(n, "none.csv"))
		if diff := cmp.Diff([]string{spool + "/source-2.tmp"}, n.files(spool)); diff != "" {
			t.Error(diff)
		}
	})
}
