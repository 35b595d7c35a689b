package keystore

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seeds are the stores of some kind.
func seeds(f *testing.F, suffixes ...string) {
	entries, err := os.ReadDir(inStores)
	if err != nil {
		f.Fatal(err)
	}
	for i, e := range entries {
		if strings.HasPrefix(e.Name(), "firefox") {
			continue // 600,000 iterations, half a second each
		}
		for _, s := range suffixes {
			if testing.Short() && i%4 != 0 {
				continue
			}
			if strings.HasSuffix(e.Name(), s) {
				f.Add(read(f, filepath.Join("stores", e.Name())))
			}
		}
	}
}

// loadsOrSaysWhy loads a store in every way that there is.
func loadsOrSaysWhy(t *testing.T, data []byte) {
	if len(data) == 0 {
		return
	}
	files := Files{Certificate: data, Passphrase: gives("changeit"), KeyPassphrase: gives("keypass1")}
	said := func(err error) {
		t.Helper()
		if e, ok := errors.AsType[*CertificateError](err); !ok || e.What == "" || e.Next == "" {
			t.Fatalf("error without what or next: %#v", err)
		}
	}
	whole := func(id *Identity) {
		t.Helper()
		if id.Leaf == nil || len(id.LeafPEM) == 0 {
			t.Fatalf("identity is incomplete: %+v", id)
		}
	}
	id, err := files.Load()
	if (err == nil) != (id != nil) {
		t.Fatalf("%v and %v", id, err)
	}
	if err != nil {
		said(err)
	} else if whole(id); id.Signer == nil {
		t.Fatal("no signer")
	} else if key, ok := id.Signer.(*rsa.PrivateKey); ok && !key.PublicKey.Equal(id.Leaf.PublicKey) {
		t.Fatal("the key is another's")
	}
	all, err := files.LoadAll()
	if id != nil && len(all) == 0 {
		t.Fatalf("LoadAll misses what Load finds: %v", err)
	}
	for _, id := range all {
		whole(id)
	}
	if id, err = files.LoadCertificate(); (err == nil) != (id != nil) {
		t.Fatalf("%v and %v", id, err)
	} else if err != nil {
		said(err)
	} else {
		whole(id)
	}
}

func FuzzPKCS12(f *testing.F) {
	seeds(f, ".p12")
	f.Fuzz(loadsOrSaysWhy)
}

// With a check sum that fits, so that more than it is looked at.
func FuzzJKS(f *testing.F) {
	seeds(f, ".jks", ".jceks")
	f.Fuzz(func(t *testing.T, data []byte) {
		loadsOrSaysWhy(t, data)
		if len(data) > 20 && isJava(data) {
			data = bytes.Clone(data)
			rewriteSum(data, "changeit")
			loadsOrSaysWhy(t, data)
		}
	})
}
