package configs

// Connection is one [connection.NAME] of connections.toml with `extends` applied, or
// the [anaplan] and [auth] tables of a job file. Secrets in it are references.
type Connection struct {
	Name      string
	File      string // where it stands, for messages
	Dir       string // folder to which relative paths are relative
	FirstLine string `json:"-"` // first line of connections.toml, such as a comment of whoever wrote it; empty for a job file's own

	Region  string // a code of anaplan-api.md 1.1; empty when the addresses are written
	APIURL  string
	AuthURL string
	Method  string // "certificate" (default) | "basic"

	Certificates  Files  `json:"Certificate"` // paths of files or folders, or references
	PrivateKeys   Files  `json:"PrivateKey"`  // the same; none: the keys are where the certificates are
	Passphrase    string // reference; of a key store its password
	Alias         string `json:",omitempty"` // entry of a key store
	KeyPassphrase string `json:",omitempty"` // reference; of the key in a key store, where it is not the store's
	AllowOpenKeys bool   `json:",omitempty"` // key files may be readable by others
	Message       string // "v2" (default) | "v1"
	Header        string // "pem" (default) | "der"
	User          string // basic
	Password      string // basic; reference

	Vault Vault `json:",omitzero"` // how vault: references are resolved

	Proxy             string // URL; empty: the environment's
	ProxyUser         string `json:",omitempty"` // DOMAIN\user for NTLM; empty: that of the environment's URL
	ProxyPassword     string `json:",omitempty"` // reference
	ProxyAuth         string `json:",omitempty"` // "basic" | "ntlm"; empty: what the proxy asks for
	CA                string // PEM file with further certificate authorities
	Ledger            string
	RequestsPerMinute int   // default 300
	Bandwidth         int64 `json:",omitempty"` // bytes a second, of all transfers of the process together; 0: no limit
	ExclusiveUser     bool  // nobody and nothing but runners with this ledger starts tasks as this user
	Protected         bool
	Owner             string `json:",omitempty"` // of the certificate: who renews it; free text
	Note              string `json:",omitempty"` // free text, shown beside the certificate
	Workspace         Ref    // for commands without a job file
	Model             Ref

	Positions Positions
}
