package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// The ways to log in.
const (
	Token      = "token"
	Agent      = "agent"
	AppRole    = "approle"
	Kubernetes = "kubernetes"
)

const (
	defaultMount = "secret"
	attemptLimit = 20 * time.Second
	repeats      = 4 // after the first try
	firstWait    = time.Second
	longestWait  = 30 * time.Second
	// After a server could not be reached with all patience, it is not asked again for so long.
	pauseAfter = time.Minute
)

// Options say where a vault is and who logs in. Address is needed, and what the Method needs.
type Options struct {
	Address   string // https://vault.example.com:8200
	Namespace string
	Mount     string // of references that name none; default "secret"
	Method    string // default Token
	AuthMount string // default: the method's name

	Token     func(context.Context) (secret.Value, error) // Token; called when it is needed, and again when the token has ended
	TokenFile string                                      // Agent
	RoleID    string                                      // AppRole
	SecretID  func(context.Context) (secret.Value, error) // AppRole
	Role      string                                      // Kubernetes
	JWTFile   string                                      // Kubernetes; default that of a pod

	Transport http.RoundTripper // the network; needed
	FirstWait time.Duration     // before the first repeat, then twice as long each time; default 1 s
}

// A Client reads secrets of one vault with one login. It is safe for use from several goroutines; it sends one request at a time.
type Client struct {
	o    Options
	turn chan struct{} // one slot; who holds it may touch what follows

	api    *api.Client
	held   bool // api has a token
	ours   bool // of a login of ours
	kept   map[secret.VaultRef]map[string]any
	down   error
	downAt time.Time
}

// New returns a Client that has sent nothing yet.
func New(o Options) *Client {
	if o.Mount == "" {
		o.Mount = defaultMount
	}
	if o.Method == "" {
		o.Method = Token
	}
	if o.AuthMount == "" {
		o.AuthMount = o.Method
	}
	if o.JWTFile == "" {
		o.JWTFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	}
	if o.FirstWait <= 0 {
		o.FirstWait = firstWait
	}
	o.Address = strings.TrimRight(o.Address, "/")
	return &Client{o: o, turn: make(chan struct{}, 1), kept: map[secret.VaultRef]map[string]any{}}
}

// Read implements [secret.VaultReader]. A field must be a text, a number, or true or false; of a text not one byte is changed. After
// a server could not be reached, every Read of the next minute has the same error.
func (c *Client) Read(ctx context.Context, ref secret.VaultRef) (secret.Value, error) {
	if err := c.enter(ctx); err != nil {
		return secret.Value{}, err
	}
	defer c.leave()
	if ref.Mount == "" {
		ref.Mount = c.o.Mount
	}
	whole := ref
	whole.Field = ""
	fields, ok := c.kept[whole]
	if !ok {
		if c.down != nil && time.Since(c.downAt) < pauseAfter {
			return secret.Value{}, c.down
		}
		var err error
		if fields, err = c.fetch(ctx, ref); err != nil {
			if ctx.Err() != nil {
				return secret.Value{}, fmt.Errorf("reading %s: %w", ref, ctx.Err())
			}
			if temporary(err) {
				c.down, c.downAt = err, time.Now()
			}
			return secret.Value{}, err
		}
		c.down = nil
		c.kept[whole] = fields
	}
	return field(ref, fields)
}

func field(ref secret.VaultRef, fields map[string]any) (secret.Value, error) {
	switch v := fields[ref.Field].(type) {
	case string:
		return secret.FromString(v), nil
	case json.Number:
		return secret.FromString(v.String()), nil
	case bool:
		return secret.FromString(strconv.FormatBool(v)), nil
	case nil:
		names := slices.Sorted(maps.Keys(fields))
		next := "write one of them behind the #"
		if len(names) == 0 {
			next = "put the field there: vault kv patch -mount=" + ref.Mount + " " + ref.Path + " " + ref.Field + "=…"
		}
		return secret.Value{}, refusal(next, nil, "%s has no field %q; its fields are: %s", where(ref), ref.Field, orNone(strings.Join(names, ", ")))
	}
	return secret.Value{}, refusal("store it as a text, a file as base64 of its bytes", nil, "field %q of %s is a list or a table, and no text", ref.Field, where(ref))
}

// Forget implements [secret.VaultReader]. The login is kept.
func (c *Client) Forget() {
	c.turn <- struct{}{}
	defer c.leave()
	clear(c.kept)
	c.down = nil
}

// Close revokes the token of a login of ours, and forgets everything; tokens that were given to us live on. That it fails changes
// nothing: they end by themselves. The Client may be used again.
func (c *Client) Close(ctx context.Context) {
	if c.enter(ctx) != nil {
		return
	}
	defer c.leave()
	if c.ours && c.held {
		_, _ = c.api.Logical().WriteWithContext(ctx, "auth/token/revoke-self", nil)
	}
	clear(c.kept)
	c.drop()
}

func (c *Client) enter(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the vault: %w", ctx.Err())
	}
}

func (c *Client) leave() { <-c.turn }

func (c *Client) drop() {
	if c.api != nil {
		c.api.ClearToken()
	}
	c.held, c.ours = false, false
}

// fetch reads a secret. With a token that was held before, and has ended since, it logs in again and asks once more.
func (c *Client) fetch(ctx context.Context, ref secret.VaultRef) (map[string]any, error) {
	before := c.held
	if err := c.login(ctx); err != nil {
		return nil, err
	}
	fields, a := c.read(ctx, ref)
	if a.status == http.StatusForbidden && before && !(c.ours && c.lives(ctx)) {
		c.drop()
		if err := c.login(ctx); err != nil {
			return nil, err
		}
		fields, a = c.read(ctx, ref)
	}
	if fields != nil {
		return fields, nil
	}
	return nil, c.explainRead(ctx, ref, a)
}

// lives reports whether the token is good: a login may have been possible once alone.
func (c *Client) lives(ctx context.Context) bool {
	return answerOf(c.api.Logical().ReadRawWithDataWithContext(ctx, "auth/token/lookup-self", nil)).status == http.StatusOK
}

// read asks for a secret once; nil fields: it is not there.
func (c *Client) read(ctx context.Context, ref secret.VaultRef) (map[string]any, answer) {
	params := map[string][]string{}
	if ref.Version > 0 {
		params["version"] = []string{strconv.Itoa(ref.Version)}
	}
	resp, err := c.api.Logical().ReadRawWithDataWithContext(ctx, ref.Mount+"/data/"+ref.Path, params)
	a := answerOf(resp, err)
	if a.status != http.StatusOK {
		return nil, a
	}
	inner, _ := a.data["data"].(map[string]any)
	return inner, a
}
