package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// login gets a token, unless there is one.
func (c *Client) login(ctx context.Context) error {
	if c.held {
		return nil
	}
	if c.o.Address == "" {
		return refusal(`write vault = { address = "https://…" } in the connection, or set VAULT_ADDR`, nil, "a vault: reference needs the address of a vault, and there is none")
	}
	if err := c.connect(); err != nil {
		return err
	}
	var token string
	var err error
	switch c.o.Method {
	case Token:
		token, err = c.given(ctx)
	case Agent:
		token, err = text(c.o.TokenFile, "the agent's token", "start the agent, or correct vault.token_file: it is the path of the agent's sink")
	case AppRole:
		token, err = c.appRole(ctx)
	case Kubernetes:
		token, err = c.kubernetes(ctx)
	default:
		err = refusal("write token, agent, approle or kubernetes", nil, "there is no way %q to log in to a vault", c.o.Method)
	}
	if err != nil {
		return err
	}
	c.api.SetToken(token)
	c.held, c.ours = true, c.o.Method == AppRole || c.o.Method == Kubernetes
	return nil
}

func (c *Client) given(ctx context.Context) (string, error) {
	v, err := c.o.Token(ctx)
	if err != nil {
		return "", referenceError("token", err)
	}
	return line(v.RevealString(), "the token of the vault", "let the reference hold the token alone, on one line")
}

func (c *Client) appRole(ctx context.Context) (string, error) {
	id, err := c.o.SecretID(ctx)
	if err != nil {
		return "", referenceError("secret_id", err)
	}
	return c.exchange(ctx, map[string]string{"role_id": c.o.RoleID, "secret_id": strings.TrimSpace(id.RevealString())},
		"write the role_id of the role, and make a new secret_id if this one has ended or been used up: vault write -f auth/"+c.o.AuthMount+"/role/NAME/secret-id")
}

func (c *Client) kubernetes(ctx context.Context) (string, error) {
	jwt, err := text(c.o.JWTFile, "the service account's token", "run in a pod that mounts one, or correct vault.jwt_file")
	if err != nil {
		return "", err
	}
	return c.exchange(ctx, map[string]string{"role": c.o.Role, "jwt": jwt},
		fmt.Sprintf("write a role of auth/%s that takes this pod's service account and namespace", c.o.AuthMount))
}

// exchange logs in; next is what to do when the login is refused.
func (c *Client) exchange(ctx context.Context, body map[string]string, next string) (string, error) {
	path := "auth/" + c.o.AuthMount + "/login"
	sent, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("writing the login to the vault: %w", err)
	}
	a := answerOf(c.api.Logical().WriteRawWithContext(ctx, path, sent))
	if a.auth != nil && a.auth.ClientToken != "" {
		return a.auth.ClientToken, nil
	}
	doing := fmt.Sprintf("logging in to the vault %s at %s", c.o.Address, path)
	if err := c.common(doing, a); err != nil {
		return "", err
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusUnauthorized:
		if a.status == http.StatusForbidden {
			next += "; or correct vault.auth_mount: it may also be that no " + c.o.Method + " login is mounted there"
		}
		return "", refusal(next, a.err, "%s was refused (%d): %s", doing, a.status, a.words())
	case http.StatusNotFound:
		return "", refusal("correct vault.auth_mount or vault.namespace", a.err, "%s: there is no such login (404): %s", doing, a.words())
	}
	return "", refusal("ask who runs the vault; its log says more", a.err, "%s gave no token (%d): %s", doing, a.status, a.words())
}

// maxToken is what a file with a token has at most.
const maxToken = 64 << 10

// readAtMost is os.ReadFile, but of what is larger.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, fmt.Errorf("it holds more than %d KiB, which no token has", most>>10)
	}
	return b, err
}

// text reads a file with one line.
func text(path, what, next string) (string, error) {
	if path == "" {
		return "", refusal(next, nil, "there is no file with %s", what)
	}
	b, err := readAtMost(path, maxToken)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return "", refusal(next, err, "%s in %s cannot be read: %v", what, path, err)
	}
	return line(string(b), what+" in "+path, next)
}

// line is a text as a header can carry it.
func line(s, what, next string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", refusal(next, nil, "%s is empty", what)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", refusal(next, nil, "%s is more than a token: it holds spaces, line ends or special characters", what)
	}
	return s, nil
}

// referenceError is one of a reference inside the vault's own settings.
func referenceError(key string, err error) error {
	if _, ok := errors.AsType[*secret.FetchError](err); ok {
		return err
	}
	return refusal("correct vault."+key, err, "vault.%s: %v", key, err)
}
