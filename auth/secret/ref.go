package secret

import (
	"errors"
	"fmt"
	"strings"
)

// The schemes a reference can have.
const (
	File  = "file"  // the rest is a path as it is, also on Windows: file:C:\secrets\pass.txt
	Env   = "env"   // the rest is the name of an environment variable
	Cmd   = "cmd"   // the rest is a command line, split into arguments without a shell
	Vault = "vault" // the rest is what ParseVault takes: PATH#FIELD
)

var (
	// ErrNoScheme says that a string is not a reference. The error never repeats the string, which may well be the secret itself.
	ErrNoScheme = errors.New("not a reference: write file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD instead of the value itself")
	// ErrNotAvailable says that a reference is understood, and that the Resolver has nothing that could resolve it.
	ErrNotAvailable = errors.New("not available here")
)

// A Ref says where a secret comes from. It is not secret itself.
type Ref struct {
	Scheme string // one of the constants of this package
	Rest   string // what follows the first colon, as it is
}

// ParseRef splits "scheme:rest". A string without one of the known schemes, a Windows path such as C:\x among them, is
// ErrNoScheme; a known scheme with nothing behind it, or a vault: reference of another form than [ParseVault] takes, is an error too.
func ParseRef(s string) (Ref, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return Ref{}, ErrNoScheme
	}
	switch scheme {
	case File, Env, Cmd, Vault:
	default:
		return Ref{}, ErrNoScheme
	}
	if strings.TrimSpace(rest) == "" {
		return Ref{}, fmt.Errorf("reference %q names nothing after the colon", scheme+":")
	}
	if scheme == Vault {
		if _, err := ParseVault(rest); err != nil {
			return Ref{}, err
		}
	}
	return Ref{Scheme: scheme, Rest: rest}, nil
}

// String returns the reference as ParseRef takes it. The zero Ref is "".
func (r Ref) String() string {
	if r == (Ref{}) {
		return ""
	}
	return r.Scheme + ":" + r.Rest
}
