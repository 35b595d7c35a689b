package jobs

import (
	"context"
	"math"
	"os"
	"path/filepath"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// spool is the folder in which this run keeps remote sources for as long as their steps
// take.
func (r *run) spool() string { return filepath.Join(r.runDir(), spoolName) }

const spoolName = "spool"

// sweep removes what runners that are gone have left in their spools: in that of this run,
// which is ours now, and in those of runs that nobody has. What lies there is looked up
// before it is asked who has the run: whoever takes it later has files with names of their
// own. What cannot be removed stays until the next time, or until the run is pruned.
func (r *run) sweep(ctx context.Context) {
	left := spooled(r.Dir)
	own := ledger.DirName(r.req.ID)
	removeAll(left[own])
	if delete(left, own); len(left) == 0 {
		return
	}
	runs, err := r.Ledger.Runs(ctx, ledger.Query{Limit: math.MaxInt32}) // also such as were closed on another machine
	if err != nil {
		return
	}
	for _, s := range runs {
		files := left[ledger.DirName(s.ID)]
		if len(files) == 0 {
			continue
		}
		if by, err := r.Ledger.Holder(ctx, ledger.RunKey(s.ID)); err == nil && by == nil {
			r.logger().Infof("run %q of job %q has no runner any more: what it had brought here of its sources is removed", s.ID.Run, s.ID.Job)
			removeAll(files)
		}
	}
}

// spooled are the files in the spools of runs, by the name of the run's folder. Links are not
// followed.
func spooled(dir string) map[string][]string {
	all := map[string][]string{}
	runs, _ := os.ReadDir(dir) // it is made when something is put into it
	for _, run := range runs {
		spool := filepath.Join(dir, run.Name(), spoolName)
		if info, err := os.Lstat(spool); !run.IsDir() || err != nil || !info.IsDir() {
			continue
		}
		files, _ := os.ReadDir(spool) // one that cannot be read cannot be swept
		for _, f := range files {
			if f.Type().IsRegular() {
				all[run.Name()] = append(all[run.Name()], filepath.Join(spool, f.Name()))
			}
		}
	}
	return all
}

func removeAll(files []string) {
	for _, path := range files {
		_ = os.Remove(path)
	}
}
