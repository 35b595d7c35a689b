package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// walk lists the files below a folder, folder by folder. Job files and connections among them are
// taken in. Hidden folders, and links to folders, are left out.
func (k *checking) walk(root string) ([][]string, error) {
	var folders [][]string
	places := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil:
			k.unreadable(path, err)
			return nil
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return k.ctx.Err()
		case strings.EqualFold(filepath.Ext(path), ".toml"):
			k.b.Files++
			return k.toml(path, false)
		}
		at, ok := places[filepath.Dir(path)]
		if !ok {
			at = len(folders)
			places[filepath.Dir(path)] = at
			folders = append(folders, nil)
		}
		folders[at] = append(folders[at], path)
		return nil
	})
	if err != nil {
		return nil, usage("check the name, and who may read it", "%v", err)
	}
	return folders, nil
}

func (k *checking) unreadable(path string, err error) {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	k.b.Add(nil, inventory.Place{File: path, Key: inventory.KeyFailed, Problem: fmt.Sprintf("%s cannot be read: %v", path, err), Next: "check who may read it"})
}

// maxCertificateFile is what a file of certificates and keys has at most.
const maxCertificateFile = 1 << 20

// lookInto says what a file holds; false: it cannot be read. What is no regular file, or too large, holds nothing.
func lookInto(path string) (inventory.Content, bool) {
	data, err := certificateFile(path)
	return inventory.Look(data), err == nil
}

func certificateFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCertificateFile {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCertificateFile))
}

// folders looks at the certificates of folders.
func (k *checking) folders(folders [][]string) {
	for _, files := range folders {
		if k.ctx.Err() != nil {
			return // said at the end
		}
		k.folder(files)
	}
}

// met is a certificate in a folder, whose key is not looked for yet.
type met struct {
	file string
	id   *keystore.Identity
}

// folder looks at the files of one folder: keys are found beside their certificates.
func (k *checking) folder(files []string) {
	var certificates []met
	keys := map[inventory.KeyID]string{}
	encrypted := 0
	for _, path := range files {
		k.b.Files++
		data, err := certificateFile(path)
		if err != nil {
			k.unreadable(path, err)
			continue
		}
		content := inventory.Look(data)
		for _, id := range content.Keys {
			keys[id] = path
		}
		if content.Encrypted > 0 {
			if id, ok := k.unlock(path); ok {
				keys[id] = path
			} else {
				encrypted += content.Encrypted
			}
		}
		relevant := len(content.Keys) > 0 || content.Encrypted > 0
		for _, c := range content.Certificates {
			certificates = append(certificates, met{path, &keystore.Identity{Leaf: c}})
			relevant = true
		}
		switch {
		case content.Store:
			k.store(path)
		case content.Damaged != "" && len(content.Certificates) == 0:
			k.b.Add(nil, inventory.Place{File: path, Key: inventory.KeyFailed, Problem: path + " is damaged: " + content.Damaged, Next: "copy the file again, whole, as text"})
		case !relevant:
			k.b.OtherFiles++
		}
	}
	for _, m := range certificates {
		place := inventory.Place{File: m.file, Key: inventory.KeyNotGiven}
		if file, ok := keys[inventory.IDOf(m.id.Leaf)]; ok {
			place.Key, place.KeyFile = inventory.KeyMatches, file
		} else if authorityOnly(m.id.Leaf) {
			continue
		} else if encrypted > 0 {
			place.Key = inventory.KeyEncrypted
		}
		k.b.Add(m.id, place)
	}
}

// given is the passphrase of the flags, nil if there is none: in folders nobody is asked.
func (k *checking) given() func() (secret.Value, error) {
	var conn configs.Connection
	if err := k.p.secretSetting(k.c, "passphrase", &conn.Passphrase); err != nil || conn.Passphrase == "" {
		return nil
	}
	return func() (secret.Value, error) { return k.p.resolve(conn, conn.Passphrase) }
}

// unlock opens the key of a file with the passphrase of the flags.
func (k *checking) unlock(path string) (inventory.KeyID, bool) {
	pass := k.given()
	if pass == nil {
		return inventory.KeyID{}, false
	}
	key, _, err := keystore.Files{KeyPath: path, Passphrase: pass, AllowOpen: true}.LoadKey()
	if err != nil {
		return inventory.KeyID{}, false
	}
	return inventory.KeyIDOf(key.Public()), true
}

// store looks at a key store.
func (k *checking) store(path string) {
	files := keystore.Files{CertificatePath: path, Passphrase: k.given(), AllowOpen: true} // whoever logs in by it is told who may read it
	all, err := files.LoadAll()
	for _, id := range all {
		k.b.Add(id, inventory.Place{File: path, Alias: id.Alias, Key: inventory.KeyMatches})
	}
	switch {
	case err == nil:
	case len(all) > 0:
		k.p.log.Warnf("%s: %v", path, err)
	case errors.Is(err, keystore.PassphraseMissing) || errors.Is(err, keystore.WrongPassphrase):
		if id, alone := files.LoadCertificate(); alone == nil {
			k.b.Add(id, inventory.Place{File: path, Alias: id.Alias, Key: inventory.KeyEncrypted})
			return
		}
		k.b.Add(nil, inventory.Place{File: path, Key: inventory.KeyEncrypted, Locked: true, Problem: "it cannot be looked into without its passphrase",
			Next: "anaplan-runner auth check " + path + " --passphrase file:PATH"})
	default:
		f := explain(err)
		k.b.Add(nil, inventory.Place{File: path, Key: inventory.KeyFailed, Problem: f.what, Next: f.next})
	}
}

var (
	jobMark         = regexp.MustCompile(`(?m)^\s*(\[\[\s*step\s*\]\]|step\s*=)`)
	connectionsMark = regexp.MustCompile(`(?m)^\s*\[\s*connection\s*\.`)
)

// toml takes in a job file or a file of connections. Named ones must be one of them; others may be anything.
func (k *checking) toml(path string, named bool) error {
	data, err := certificateFile(path)
	switch {
	case err != nil && named:
		return err
	case err != nil:
		k.unreadable(path, err)
	case jobMark.Match(data):
		return k.job(path, named, true)
	case connectionsMark.Match(data):
		return k.connectionsFile(path, named)
	case named:
		return usage("name a job file with [[step]], or a file of connections with [connection.NAME]", "%s is neither a job file nor a file of connections", path)
	default:
		k.b.OtherFiles++
	}
	return nil
}

func (k *checking) connectionsFile(path string, named bool) error {
	saved, err := configs.LoadConnections(path, "", k.p.env)
	var all []configs.Connection
	if err == nil {
		all, err = k.withCertificates(saved)
	}
	if err != nil {
		if named {
			return err
		}
		f := explain(err)
		k.b.Add(nil, inventory.Place{File: path, Key: inventory.KeyFailed, Problem: f.Error(), Next: "correct the file"})
		return nil
	}
	for _, conn := range all {
		k.connections = append(k.connections, checkedConnection{Connection: conn, met: !named})
	}
	return nil
}

// jobsIn takes in the jobs of a folder, or one job file, for what they use alone.
func (k *checking) jobsIn(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return usage("check the name, and who may read it", "--jobs: %v", err)
	}
	if !info.IsDir() {
		return k.job(path, true, false)
	}
	return filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		if err == nil && (d.IsDir() || !strings.EqualFold(filepath.Ext(at), ".toml")) {
			return k.ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = certificateFile(at)
		}
		switch {
		case err != nil && at == path:
			return usage("check the name, and who may read it", "--jobs: %v", err)
		case err != nil:
			k.p.log.Warnf("--jobs: what is there is not known: %v", err)
			return nil
		case !jobMark.Match(data):
			return nil
		}
		return k.job(at, false, false)
	})
}

// job notes which logins a job uses, and has them looked at if that is wanted. One that is
// met in a folder and is not right, or whose connections are not, is only told of.
func (k *checking) job(path string, named, look bool) error {
	unknown := func(err error) error {
		if named {
			return err
		}
		k.p.log.Warnf("%s: not a job that can run, so what it uses is not known: %v", path, err)
		return nil
	}
	job, err := configs.Load(path)
	if err != nil {
		return unknown(err)
	}
	k.b.Jobs++
	if expanded, err := job.Expand(configs.Values{Env: k.p.Getenv, RunID: "auth-check", Date: k.b.Now}); err == nil {
		job = expanded
	}
	connections := k.c.String("connections")
	saved, err := configs.LoadConnections(connections, path, k.p.env)
	switch {
	case err != nil && connections != "": // that is named
		return err
	case err != nil:
		return unknown(err)
	}
	done := map[string]bool{}
	for _, step := range job.Steps {
		conn, err := job.ConnectionFor(step, saved)
		if err != nil {
			if named {
				return err
			}
			k.p.log.Warnf("%v", err)
			break
		}
		key := loginOfPlace(conn)
		if done[key] || conn.Method == "basic" {
			continue
		}
		done[key] = true
		if name := or(job.Name, path); !slices.Contains(k.uses[key], name) {
			k.uses[key] = append(k.uses[key], name)
		}
		if look {
			k.connections = append(k.connections, checkedConnection{Connection: conn, met: !named})
		}
	}
	return nil
}
