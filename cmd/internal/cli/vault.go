package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/auth/secret/vault"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// secrets are what one call of the program has resolved: for each connection what its
// references hold, and its login to a vault. Nothing is fetched before it is needed.
type secrets struct {
	mu   sync.Mutex
	of   map[secretsKey]secretsOf
	late bool // a signal came: there is a moment left, no more

	live atomic.Pointer[context.Context] // ended by a signal; nil: by nothing
}

// secretsKey is all that the value of a reference depends on.
type secretsKey struct {
	file, name, dir string
	vault           configs.Vault
}

type secretsOf struct {
	resolver secret.Resolver
	client   *vault.Client // nil if it cannot be made
}

// resolve fetches a secret by its reference, with the connection's vault if it is a vault:
// reference. It asks for each once in a call of the program, until forgetSecrets: whoever
// looks at many references of one connection may just call it for each.
func (p *Program) resolve(conn configs.Connection, reference string) (secret.Value, error) {
	ref, err := secret.ParseRef(reference)
	if err != nil {
		return secret.Value{}, err
	}
	return p.secretsOf(conn).resolver.Resolve(p.live(), ref)
}

// live is the context of what is being fetched now.
func (p *Program) live() context.Context {
	if ctx := p.secrets.live.Load(); ctx != nil {
		return *ctx
	}
	return context.Background()
}

// forgetSecrets makes the next use of every reference of a connection fetch it again. It
// is for a login that was refused: the key, the certificate or the password may have been
// replaced where it lies since the run began.
func (p *Program) forgetSecrets(conn configs.Connection) { p.secretsOf(conn).resolver.Forget() }

func (p *Program) secretsOf(conn configs.Connection) secretsOf {
	s := &p.secrets
	s.mu.Lock()
	defer s.mu.Unlock()
	key := secretsKey{conn.File, conn.Name, conn.Dir, conn.Vault}
	one, ok := s.of[key]
	if !ok {
		one.resolver = secret.Resolver{Dir: conn.Dir, Getenv: p.Getenv, Cache: &secret.Cache{}, Seen: p.filter.Add}
		var err error
		if one.client, err = p.vaultOf(conn); err == nil {
			one.resolver.Vault = one.client
		} else {
			one.resolver.Vault = noVault{err}
		}
		if s.of == nil {
			s.of = map[secretsKey]secretsOf{}
		}
		s.of[key] = one
	}
	return one
}

// secretsEndWith makes ctx end what is being fetched, until the function it returns is
// called.
func (p *Program) secretsEndWith(ctx context.Context) (done func()) {
	p.secrets.live.Store(&ctx)
	return func() {
		if ctx.Err() != nil {
			p.secrets.mu.Lock()
			p.secrets.late = true
			p.secrets.mu.Unlock()
		}
		p.secrets.live.Store(nil)
	}
}

// endSecrets forgets all, and revokes the tokens of our logins to vaults.
func (p *Program) endSecrets() {
	p.secrets.mu.Lock()
	defer p.secrets.mu.Unlock()
	limit := logoutPatience
	if p.secrets.late {
		limit = lastMoment - lastWords
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, one := range p.secrets.of {
		if one.client != nil {
			one.client.Close(ctx)
		}
	}
	p.secrets.of = nil
}

// noVault is a vault that cannot be asked.
type noVault struct{ err error }

func (n noVault) Read(context.Context, secret.VaultRef) (secret.Value, error) {
	return secret.Value{}, n.err
}

func (noVault) Forget() {}

// vaultVariable is a variable of the vault program; OpenBao's has its own, and takes
// these too.
func (p *Program) vaultVariable(name string) string {
	return or(p.env("VAULT_"+name), p.env("BAO_"+name))
}

// vaultOf is the vault of a connection: what its table lacks comes from the variables.
func (p *Program) vaultOf(conn configs.Connection) (*vault.Client, error) {
	v := conn.Vault
	address := or(v.Address, p.vaultVariable("ADDR"))
	trust := conn
	trust.CA = v.CA
	if v := p.vaultVariable("CACERT"); trust.CA == "" && v != "" {
		trust.CA = here(v)
	}
	roots, err := p.rootsOf(trust)
	if err != nil {
		why := err
		if f, ok := errors.AsType[*failure](err); ok && f.err != nil {
			why = f.err // without the key of another
		}
		return nil, &secret.FetchError{What: "the authorities of the vault's certificate: " + why.Error(), Next: "correct vault.ca or VAULT_CACERT", Err: why}
	}
	base, err := anaplan.BaseTransport(anaplan.BaseOptions{Getenv: p.env, RootCAs: roots, ProxyLogins: &p.proxies})
	if err != nil {
		return nil, &secret.FetchError{What: "the network of the vault: " + err.Error(), Next: "correct the proxy", Err: err}
	}
	direct := secret.Resolver{Dir: conn.Dir, Getenv: p.Getenv, Seen: p.filter.Add}
	by := func(reference string) func(context.Context) (secret.Value, error) {
		return func(ctx context.Context) (secret.Value, error) {
			ref, err := secret.ParseRef(reference)
			if err != nil {
				return secret.Value{}, err
			}
			return direct.Resolve(ctx, ref) // it has no vault
		}
	}
	token := by(v.Token)
	if v.Token == "" {
		token = func(context.Context) (secret.Value, error) { return p.vaultToken() }
	}
	return vault.New(vault.Options{Address: address, Namespace: or(v.Namespace, p.vaultVariable("NAMESPACE")), Mount: v.Mount, Method: v.Method, AuthMount: v.AuthMount,
		Token: token, TokenFile: inDir(conn.Dir, v.TokenFile), RoleID: v.RoleID, SecretID: by(v.SecretID), Role: v.Role, JWTFile: inDir(conn.Dir, v.JWTFile),
		Transport: knowing{p: p, base: base}, FirstWait: time.Duration(float64(time.Second) / p.simulatorSpeed(hostOf(address)))}), nil
}

// maxToken is what a file with a token has at most.
const maxToken = 64 << 10

// vaultToken is the token that the vault program would take.
func (p *Program) vaultToken() (secret.Value, error) {
	if t := p.vaultVariable("TOKEN"); t != "" {
		return secret.FromString(t), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	path := filepath.Join(home, ".vault-token")
	b, err := readAtMost(path, maxToken)
	switch {
	case err == nil && strings.TrimSpace(string(b)) != "":
		return secret.New(b), nil
	case err == nil, errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("neither VAULT_TOKEN nor %s holds a token", path)
	}
	return secret.Value{}, &secret.FetchError{What: "logging in to the vault: " + err.Error(), Err: err,
		Next: "call `vault login`, set VAULT_TOKEN, or write in the connection how to log in: vault = { role_id = …, secret_id = … }, token_file or role"}
}
