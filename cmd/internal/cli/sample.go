package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// simulatorMark begins a connections.toml that writeSample may write again.
const simulatorMark = "# Written for a simulated Anaplan"

// simulatorConnection is the connection in it.
const simulatorConnection = "demo"

// sampleFiles are the files in a folder from which jobs can run against a simulator. The
// paths begin with the folder as it was given.
type sampleFiles struct {
	Dir         string
	Connections string
	Certificate string
	Key         string
	CA          string   // empty without TLS
	Data        []string // CSV files of the sample night; empty for another company
	Jobs        []string // job files, likewise
}

// simulatorLogin is how one logs in to a simulator, and where its connection leads.
type simulatorLogin struct {
	URL       string
	CA        []byte // PEM of the authority of its TLS; nil without
	Email     string
	Workspace string
	Model     string
}

// sampleLogin is that of the sample company.
func sampleLogin(url string, ca []byte) simulatorLogin {
	return simulatorLogin{URL: url, CA: ca, Email: sample.Email, Workspace: "Finance", Model: "Sales Hub"}
}

// writeSample fills a folder for the sample company: what writeLogin writes, the data of
// the sample night in data/, and its job, nightly.toml. Data and job that are there already
// stay as they are: somebody may have changed them.
func writeSample(dir, url string, ca []byte, now time.Time) (sampleFiles, error) {
	files, err := writeLogin(dir, sampleLogin(url, ca), now)
	if err != nil {
		return files, err
	}
	if files.Data, err = copyTree(sample.Data(), filepath.Join(dir, "data")); err != nil {
		return files, err
	}
	files.Jobs, err = writeNightly(dir)
	return files, err
}

// writeNightly writes the example job of the sample company, unless it is there already,
// and the JSON Schema that its first line names.
func writeNightly(dir string) ([]string, error) {
	const name, schema = "nightly.toml", "job.schema.json"
	job, err := fs.ReadFile(configs.Examples(), name)
	if err != nil {
		return nil, err
	}
	job = bytes.Replace(job, []byte("../"+schema), []byte(schema), 1)
	for file, data := range map[string][]byte{name: job, schema: configs.Schema()} {
		path := filepath.Join(dir, file)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := placeBytes(path, 0o644, data); err != nil {
			return nil, err
		}
	}
	return []string{filepath.Join(dir, name)}, nil
}

// writeLogin writes connections.toml, certificate and key, and the authority to trust. A
// certificate and key that are there already stay. A connections.toml that somebody else
// wrote is never replaced.
func writeLogin(dir string, login simulatorLogin, now time.Time) (sampleFiles, error) {
	files := sampleFiles{Dir: dir, Connections: filepath.Join(dir, "connections.toml"),
		Certificate: filepath.Join(dir, "certificate.pem"), Key: filepath.Join(dir, "private-key.pem")}
	old, err := os.ReadFile(files.Connections)
	switch {
	case err == nil && !bytes.HasPrefix(old, []byte(simulatorMark)):
		return files, &failure{code: ledger.CodeInput, cause: ledger.CauseInput,
			what: fmt.Sprintf("%s is not of a simulator, and is not replaced", files.Connections), next: "name another folder, or an empty one"}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return files, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, err
	}
	if err := keepOrMakeIdentity(files, login.Email, now); err != nil {
		return files, err
	}
	conn := map[string]any{"urls": map[string]string{"api": login.URL + "/2/0", "auth": login.URL}, "certificate": filepath.Base(files.Certificate),
		"private_key": filepath.Base(files.Key)}
	if login.CA != nil {
		files.CA = filepath.Join(dir, "ca.pem")
		conn["ca"] = filepath.Base(files.CA)
		if err := placeBytes(files.CA, 0o644, login.CA); err != nil {
			return files, err
		}
	}
	if login.Model != "" {
		conn["workspace"], conn["model"] = login.Workspace, login.Model
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s that listens on %s: written again each time it starts.\n\n", simulatorMark, login.URL)
	if err := toml.NewEncoder(&b).Encode(map[string]any{"connection": map[string]any{simulatorConnection: conn}}); err != nil {
		return files, err
	}
	return files, placeBytes(files.Connections, 0o644, b.Bytes())
}

// keepOrMakeIdentity makes a certificate with its key, unless both are there.
func keepOrMakeIdentity(files sampleFiles, email string, now time.Time) error {
	_, certErr := os.Stat(files.Certificate)
	_, keyErr := os.Stat(files.Key)
	switch {
	case certErr == nil && keyErr == nil:
		return nil
	case certErr == nil || keyErr == nil:
		return &failure{code: ledger.CodeInput, cause: ledger.CauseInput,
			what: fmt.Sprintf("%s holds only one of %s and %s", files.Dir, filepath.Base(files.Certificate), filepath.Base(files.Key)),
			next: "remove it, and both are made anew"}
	}
	cert, key, err := sample.NewIdentity(email, now)
	if err != nil {
		return err
	}
	if err := placeBytes(files.Key, 0o600, key); err != nil {
		return err
	}
	return placeBytes(files.Certificate, 0o644, cert)
}

// copyTree copies the files of a tree that are not there yet, and returns the paths of all.
func copyTree(tree fs.FS, dir string) ([]string, error) {
	var paths []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(path, 0o700)
		}
		paths = append(paths, path)
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return placeBytes(path, 0o644, data)
	})
	slices.SortFunc(paths, strings.Compare)
	return paths, err
}

// placeBytes writes a file, whole or not at all.
func placeBytes(path string, perm fs.FileMode, content []byte) error {
	return data.Place(path, perm, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}
