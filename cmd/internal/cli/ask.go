package cli

import (
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// askOnce is ask, with the answer kept: what is loaded again in the middle of a run asks nobody.
func (p *Program) askOnce(prompt string) (secret.Value, error) {
	if v, ok := p.answers.Load(prompt); ok {
		return v.(secret.Value), nil
	}
	v, err := p.ask(prompt)
	if err == nil {
		p.answers.Store(prompt, v)
	}
	return v, err
}

// ask asks for a secret on the terminal, without showing what is typed. Where there is no
// terminal it is a failure that says how else a secret is given.
func (p *Program) ask(prompt string) (secret.Value, error) {
	f, ok := p.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return secret.Value{}, &failure{code: ledger.CodePermission, cause: ledger.CauseLogin,
			what: "the private key or key store is encrypted, no passphrase is given, and there is no terminal to ask on",
			next: "set passphrase = \"env:NAME\" in the connection, or give --passphrase file:PATH"}
	}
	fmt.Fprint(p.Err, prompt)
	typed, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(p.Err)
	if err != nil {
		return secret.Value{}, fmt.Errorf("read the passphrase: %w", err)
	}
	v := secret.New(typed)
	p.filter.Add(v)
	return v, nil
}
