package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const tokenDescription = `Logs in, asks both the login host and the API who we are, and logs out again.

   anaplan-runner auth token --connections connections.toml --connection prod
   TOKEN=$(anaplan-runner auth token --keep --show --certificate batch.pem --private-key batch.key)

The token itself is never shown but by --show, alone on stdout. Whoever has it acts as the user until it
ends: --keep does not log out, so that it can be used.`

func (p *Program) tokenCommand() *cli.Command {
	return &cli.Command{
		Name: "token", Usage: "logs in; says who we are and until when",
		Description: tokenDescription,
		Flags: flags([]cli.Flag{
			&cli.BoolFlag{Name: "keep", Usage: "do not log out: the token lives on", Category: "Token:"},
			&cli.BoolFlag{Name: "show", Usage: "print the token, alone, on stdout; needs --keep", Category: "Token:"},
		}, loginFlags(), outputFlags(), logFlags()),
		Action: p.token,
	}
}

// tokenResult is the result of auth token.
type tokenResult struct {
	Schema     int       `json:"schema"`
	Host       string    `json:"host"`
	Method     string    `json:"method"`
	User       string    `json:"user"`
	UserID     string    `json:"user_id"`
	Name       string    `json:"name"`
	CustomerID string    `json:"customer_id"`
	ExpiresAt  time.Time `json:"expires_at"`
	Life       float64   `json:"life_s"`             // what is left of it
	ClockOff   float64   `json:"clock_difference_s"` // ours is so far ahead of the host's; within a second 0
	Kept       bool      `json:"kept"`
	Token      string    `json:"token,omitempty"` // with --show
}

func (p *Program) token(c *cli.Context) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	show, keep := c.Bool("show"), c.Bool("keep")
	if show && !keep {
		return usage("write --keep --show", "--show without --keep shows a token that is logged out already")
	}
	if show && c.String("result-file") != "" {
		return usage("leave out one of them", "--result-file would keep the token where others may read it")
	}
	conn, err := p.login(c)
	if err != nil {
		return err
	}
	return p.interruptible(c, func(ctx context.Context) error {
		t := p.tenantsAt(conn)
		one, err := t.tenant("")
		if err != nil {
			return err
		}
		r, err := p.whoami(ctx, one, conn.Method)
		if err == nil && show {
			var token auth.Token
			token, err = one.Source.Token(ctx)
			r.Token = token.Value.RevealString()
			p.filter.Allow(token.Value) // it is asked for
		}
		if err != nil || !keep {
			t.Close()
		}
		if err != nil {
			return err
		}
		r.Kept = keep
		if show && c.String("output") == "text" {
			if err := r.text(p.Err); err != nil {
				return err
			}
			return p.finish(c, ledger.CodeOK, r, func(w io.Writer) error { _, err := fmt.Fprintln(w, r.Token); return err })
		}
		return p.finish(c, ledger.CodeOK, r, r.text)
	})
}

// whoami asks the login host and the API about the token.
func (p *Program) whoami(ctx context.Context, one *tenant, method string) (tokenResult, error) {
	session, err := one.Source.Validate(ctx)
	if err != nil {
		return tokenResult{}, err
	}
	token, err := one.Source.Token(ctx)
	if err != nil {
		return tokenResult{}, err
	}
	user, err := one.Client.Me(ctx)
	if err != nil {
		return tokenResult{}, fmt.Errorf("the login succeeded, but %s does not know its token: %w", one.Host, err)
	}
	off, _ := one.Source.ClockOff()
	return tokenResult{Schema: 1, Host: one.Host, Method: or(method, "certificate"), User: or(user.Email, session.User), UserID: or(user.ID, session.UserGUID),
		Name: strings.TrimSpace(user.FirstName + " " + user.LastName), CustomerID: or(user.CustomerID, session.CustomerGUID),
		ExpiresAt: token.ExpiresAt.UTC(), Life: math.Floor(token.ExpiresAt.Sub(p.Now()).Seconds()), ClockOff: math.Round(off.Seconds())}, nil
}

func (r tokenResult) text(w io.Writer) error {
	clock := "agrees with the login host's"
	switch off := time.Duration(math.Abs(r.ClockOff)) * time.Second; {
	case r.ClockOff > 0:
		clock = fmt.Sprintf("%s ahead of the login host's", off)
	case r.ClockOff < 0:
		clock = fmt.Sprintf("%s behind the login host's", off)
	}
	state := "logged out again"
	if r.Kept {
		state = "not logged out"
	}
	_, err := fmt.Fprintf(w, "user      %s (%s, id %s)\ncustomer  %s\nhost      %s, login by %s\ntoken     until %s (%s), %s\nclock     %s\n",
		printable(r.User), printable(r.Name), r.UserID, r.CustomerID, r.Host, r.Method,
		r.ExpiresAt.Format(time.RFC3339), time.Duration(r.Life)*time.Second, state, clock)
	return err
}

// interruptible does work that a signal ends, with the signal's exit code.
func (p *Program) interruptible(c *cli.Context, do func(ctx context.Context) error) error {
	ctx, done := p.stoppable(c.Context)
	defer done()
	return interrupted(ctx, do(ctx))
}

// interrupted is an error as one of the signal, if a signal has ended ctx; nil stays nil.
func interrupted(ctx context.Context, err error) error {
	stopped, ok := errors.AsType[*jobs.Stopped](context.Cause(ctx))
	if !ok || err == nil {
		return err
	}
	code := ledger.CodeTerminate
	if stopped.Signal == "SIGINT" {
		code = ledger.CodeInterrupt
	}
	return &failure{code: code, cause: ledger.CauseSignal, what: stopped.Error(), next: "call it again", err: err}
}
