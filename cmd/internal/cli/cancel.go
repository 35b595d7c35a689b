package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// cancelPatience is how long a run is given to end after it was asked to: longer than a
// job's cancel_wait, which is 15 minutes.
const cancelPatience = 20 * time.Minute

func (p *Program) cancelCommand() *cli.Command {
	return &cli.Command{
		Name: "cancel", Usage: "stops a run from elsewhere, and tells what really happened", ArgsUsage: "RUN",
		Description: "Asks the runner of the run, wherever it is, to start nothing new and to cancel Anaplan's tasks, and waits until the\n" +
			"run has ended. A run whose runner is gone is taken over for it. A cancel asked for is not a cancel done: Anaplan\n" +
			"may finish a task all the same, and then that is what is told.\n\n" +
			"Its exit code says whether anything of the run is left: 0, nothing of it runs in Anaplan any more, whatever its own code is,\n" +
			"which stands in the report; 75, something may still run in Anaplan, and is listed; 76, it is not known whether\n" +
			"something was started; 124, the run had not ended within --wait. With --detach tasks are left running on purpose,\n" +
			"and with --no-wait 0 says only that the wish was left.",
		Flags: flags(recordPlaceFlags(), []cli.Flag{
			jobOfRunFlag(),
			&cli.BoolFlag{Name: "detach", Usage: "leave Anaplan's tasks running; nothing new starts", Category: "Stop:"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until the run has ended", Category: "Stop:"},
			spanFlag("wait", cancelPatience, "wait at most `TIME` for the run to end", "Stop:"),
		}, outputFlags(), logFlags()),
		Action: p.doCancel, BashComplete: p.completeOpenRuns,
	}
}

func (p *Program) doCancel(c *cli.Context) error {
	if c.Bool("no-wait") && c.IsSet("wait") {
		return usage("give one of them", "--wait and --no-wait exclude one another")
	}
	p.startLog(c)
	book, state, err := p.openRun(c, c.String("job"))
	if err != nil {
		return err
	}
	defer book.Close()
	id := state.Created.ID
	what := ledger.WishCancel
	if c.Bool("detach") {
		what = ledger.WishDetach
	}
	wish := func() ledger.Wish { return ledger.Wish{What: what, By: decider(), At: p.Now().UTC()} }
	holder, err := askRunner(c.Context, book, id, nil, wish)
	if err != nil {
		return err
	}
	if holder == nil {
		// It may have ended between the two looks.
		if state, err = book.state(c.Context, id); err != nil {
			return err
		}
		return p.cancelGone(c, book, state)
	}
	p.log.Infof("the run is under way: %s", holder)
	p.log.Infof("its runner was asked: %s", what)
	if c.Bool("no-wait") {
		r := book.report(state)
		return p.tell(c, ledger.CodeOK, r)
	}
	state, err = p.awaitEnd(c, book, state, holder, wish)
	if err != nil {
		return err
	}
	if state.End == nil { // its runner died on the way
		return p.cancelGone(c, book, state)
	}
	return p.tellCancelled(c, book, state)
}

// askRunner leaves a wish for whoever runs a run, unless asked is he, and says who that is; nil:
// nobody does, and nothing was left. Who takes the run over while the wish is being left is asked
// too: a wish of before does not count for him.
func askRunner(ctx context.Context, l ledger.Ledger, id ledger.ID, asked *ledger.Holder, wish func() ledger.Wish) (*ledger.Holder, error) {
	for {
		holder, err := l.Holder(ctx, ledger.RunKey(id))
		if err != nil || holder == nil || asked != nil && holder.Runner == asked.Runner && holder.Since.Equal(asked.Since) {
			return asked, err
		}
		if err := l.Ask(ctx, id, wish()); err != nil {
			return nil, err
		}
		asked = holder
	}
}

// awaitEnd tells the events of a run until it has ended, or nobody runs it any more.
func (p *Program) awaitEnd(c *cli.Context, book *book, state ledger.State, asked *ledger.Holder, wish func() ledger.Wish) (ledger.State, error) {
	id := state.Created.ID
	err := p.interruptible(c, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, length(c, "wait"), errNotEnded)
		defer cancel()
		state, err = p.followToEnd(ctx, book, state, asked, wish)
		return err
	})
	if errors.Is(err, errNotEnded) {
		err = &failure{code: ledger.CodeTime, cause: ledger.CauseTime, err: err,
			what: fmt.Sprintf("run %q was asked to end, and had not within %s; it still runs", id.Run, length(c, "wait")),
			next: "see what it does: " + about(book, "status", id)}
	}
	return state, err
}

// followToEnd is awaitEnd for as long as ctx. Who takes the run over before it has ended is asked,
// too; who continues it after that is not.
func (p *Program) followToEnd(ctx context.Context, book *book, state ledger.State, asked *ledger.Holder, wish func() ledger.Wish) (ledger.State, error) {
	id := state.Created.ID
	for state.End == nil {
		holder, err := book.Holder(ctx, ledger.RunKey(id))
		if err != nil {
			return state, caused(ctx, err)
		}
		if state, err = p.news(ctx, book, state); err != nil {
			return state, caused(ctx, err)
		}
		if holder == nil || state.End != nil {
			break
		}
		if asked, err = askRunner(ctx, book, id, asked, wish); err != nil {
			return state, caused(ctx, err)
		}
		select {
		case <-ctx.Done():
			return state, context.Cause(ctx)
		case <-time.After(followEvery):
		}
	}
	return state, nil
}

var errNotEnded = errors.New("the run has not ended")

// caused is the cause for which ctx ended, if it has; else err.
func caused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// cancelGone ends a run that nobody runs: what it left running in Anaplan is cancelled and
// watched to its end.
func (p *Program) cancelGone(c *cli.Context, book *book, state ledger.State) error {
	id := state.Created.ID
	switch {
	case done(state):
		p.log.Warnf("run %q of job %q is closed: there is nothing to cancel", id.Run, id.Job)
		return p.tellCancelled(c, book, state)
	case state.End != nil && len(unsettled(state)) == 0:
		p.log.Warnf("run %q of job %q has ended: there is nothing to cancel", id.Run, id.Job)
		return p.tellCancelled(c, book, state)
	case c.Bool("detach"):
		p.log.Warnf("the runner of run %q of job %q is gone: there is nothing to detach", id.Run, id.Job)
		return p.tellCancelled(c, book, state)
	case c.Bool("no-wait"):
		return usage("leave out --no-wait: this program takes the run over then", "the runner of run %q is gone: nobody would do it", id.Run)
	}
	t, err := p.fromRecord(c, state)
	if err != nil {
		return err
	}
	p.begin(book, t)
	p.log.Infof("its runner is gone; the run is taken over to end it")
	t.exit = func(state ledger.State) int { return p.leftCode(c, book, state) }
	return p.work(c, t, p.tenantsOf(t.connection), book, "", func(ctx context.Context, runner *jobs.Runner) (ledger.State, error) {
		return runner.Continue(ctx, jobs.Continuation{ID: id, Runner: thisRunner(), By: decider(), Cancel: true})
	})
}

// tellCancelled shows what really happened; the exit code says whether anything is left.
func (p *Program) tellCancelled(c *cli.Context, book *book, state ledger.State) error {
	return p.tell(c, p.leftCode(c, book, state), book.report(state))
}

// leftCode is the exit code of cancel, with the reason for it told.
func (p *Program) leftCode(c *cli.Context, book *book, state ledger.State) int {
	left := unsettled(state)
	switch {
	case len(left) == 0:
		p.log.Infof("nothing of run %q of job %q runs in Anaplan any more", state.Created.ID.Run, state.Created.ID.Job)
		return ledger.CodeOK
	case c.Bool("detach"):
		p.log.Warnf("left running in Anaplan: %s", strings.Join(left, "; "))
		return ledger.CodeOK
	}
	p.log.Warnf("not known to have ended: %s. To look again: %s", strings.Join(left, "; "), about(book, "cancel", state.Created.ID))
	for _, t := range state.Steps {
		if undecided(t) {
			return ledger.CodeUnsure
		}
	}
	return ledger.CodeTemporary
}
