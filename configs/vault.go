package configs

import (
	"fmt"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Vault is the `vault` table of a connection: how vault: references are resolved. What is
// empty comes from the environment's VAULT_ variables, else from a default. Secrets in it
// are references, and none of them a vault: reference.
type Vault struct {
	Address   string // URL of the server or of an agent
	Namespace string
	Mount     string // of the KV store, for references that name none
	Method    string // "token" | "agent" | "approle" | "kubernetes"; from a file never empty when one of the keys below is given
	Token     string // token; reference
	TokenFile string // agent: the file it writes its token into
	RoleID    string // approle
	SecretID  string // approle; reference
	Role      string // kubernetes
	JWTFile   string // kubernetes: the service account's token
	AuthMount string // where the login method is mounted
	CA        string // PEM file with the authorities to trust
}

var vaultTable = shape[Vault]{title: "vault", keys: []key[Vault]{
	checkedKey("address", kindText, checkVaultAddress, func(v *Vault, s string) { v.Address = s }),
	textKey("namespace", func(v *Vault) *string { return &v.Namespace }),
	checkedKey("mount", kindText, checkMount, func(v *Vault, s string) { v.Mount = s }),
	enumKey("method", []string{"token", "agent", "approle", "kubernetes"}, func(v *Vault) *string { return &v.Method }),
	directSecretKey("token", func(v *Vault) *string { return &v.Token }),
	textKey("token_file", func(v *Vault) *string { return &v.TokenFile }),
	textKey("role_id", func(v *Vault) *string { return &v.RoleID }),
	directSecretKey("secret_id", func(v *Vault) *string { return &v.SecretID }),
	textKey("role", func(v *Vault) *string { return &v.Role }),
	textKey("jwt_file", func(v *Vault) *string { return &v.JWTFile }),
	checkedKey("auth_mount", kindText, checkAuthMount, func(v *Vault, s string) { v.AuthMount = s }),
	textKey("ca", func(v *Vault) *string { return &v.CA }),
}}

// directSecretKey is a reference that needs no vault.
func directSecretKey(name string, field func(*Vault) *string) key[Vault] {
	const form = `write where it is: "env:NAME", "file:PATH" or "cmd:COMMAND"`
	k := secretKeyWith(name, form, field)
	set := k.set
	k.set = func(s scope, v *Vault, e entry) {
		if text, ok := e.value.(string); ok && strings.HasPrefix(text, secret.Vault+":") {
			s.wrong(e.at, e.name, "what logs in to the vault cannot be in the vault", form)
			return
		}
		set(s, v, e)
	}
	return k
}

func checkVaultAddress(v string) *fault {
	u, f := checkURL(v)
	if f != nil {
		if f.instead == `write it as in "https://api.anaplan.com/2/0"` {
			f.instead = `write it as in "https://vault.example.com:8200"`
		}
		return f
	}
	for _, end := range []string{"/v1", "/ui"} {
		if before, _, found := strings.Cut(u.Path+"/", end+"/"); found {
			return &fault{"goes too far: the path of the API is added to it", fmt.Sprintf("write %s://%s%s", u.Scheme, u.Host, before)}
		}
	}
	return nil
}

func checkMount(v string) *fault {
	if _, err := secret.ParseVault(v + ":x#y"); err != nil || strings.ContainsAny(v, ":?#") {
		return &fault{"is no place where a store is mounted", `write it without / at its ends, as in mount = "secret"`}
	}
	return nil
}

func checkAuthMount(v string) *fault {
	if after, ok := strings.CutPrefix(v, "auth/"); ok {
		return &fault{"begins with auth/, which is added to it", fmt.Sprintf("write auth_mount = %q", after)}
	}
	if checkMount(v) != nil {
		return &fault{"is no place where a login method is mounted", `write it without / at its ends, as in auth_mount = "approle"`}
	}
	return nil
}

// finishVault is [Connection.finish] for its vault.
func (c *Connection) finishVault(wrong func(key string, f *fault)) {
	v := &c.Vault
	check := func(key, value string, f func(string) *fault) {
		if value != "" {
			wrong("vault."+key, f(value))
		}
	}
	check("address", v.Address, checkVaultAddress)
	check("mount", v.Mount, checkMount)
	check("auth_mount", v.AuthMount, checkAuthMount)
	if v.Method == "" {
		v.Method = v.methodOf(wrong)
	}
	lacks := func(key, value, instead string) {
		if value == "" {
			wrong("vault."+key, &fault{fmt.Sprintf("is missing, and method is %q", v.Method), instead})
		}
	}
	switch v.Method {
	case "agent":
		lacks("token_file", v.TokenFile, "write the path of the file into which the agent writes its token (its sink)")
	case "approle":
		lacks("role_id", v.RoleID, "write the role's id, as `vault read auth/approle/role/NAME/role-id` shows it")
		lacks("secret_id", v.SecretID, "write where it is: env:NAME, file:PATH or cmd:COMMAND")
	case "kubernetes":
		lacks("role", v.Role, "write the name of the role that the service account may take")
	}
	for _, path := range []*string{&v.TokenFile, &v.JWTFile, &v.CA} {
		*path = c.plainPath(*path)
	}
	for _, ref := range []*string{&v.Token, &v.SecretID} {
		*ref = c.plainReference(*ref)
	}
}

// methodOf is the method that the keys speak of; empty, which is the environment's token,
// if none does.
func (v *Vault) methodOf(wrong func(key string, f *fault)) string {
	var keys, methods []string
	for _, x := range []struct{ value, key, method string }{{v.Token, "token", "token"}, {v.TokenFile, "token_file", "agent"},
		{v.RoleID + v.SecretID, "role_id", "approle"}, {v.Role, "role", "kubernetes"}} {
		if x.value != "" {
			keys, methods = append(keys, x.key), append(methods, x.method)
		}
	}
	switch len(methods) {
	case 0:
		return ""
	case 1:
		return methods[0]
	}
	wrong("vault.method", &fault{"is missing, and there are keys of several ways to log in: " + strings.Join(keys, ", "), `write method = "` + methods[0] + `", or take the others out`})
	return methods[0]
}

// plainReference makes the path of a file: reference absolute.
func (c *Connection) plainReference(ref string) string {
	if r, err := secret.ParseRef(ref); err == nil && r.Scheme == secret.File {
		return secret.File + ":" + c.plainPath(r.Rest)
	}
	return ref
}
