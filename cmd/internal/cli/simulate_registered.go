package cli

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

// registry gives the certificates in the files of a folder, as PEM, as they are at the
// moment; nil without a folder. What is no certificate is left out.
func registry(dir string) func() []*x509.Certificate {
	if dir == "" {
		return nil
	}
	return func() []*x509.Certificate {
		var all []*x509.Certificate
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, file := range files {
			data, _ := os.ReadFile(file)
			for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
				if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
					all = append(all, c)
				}
			}
		}
		return all
	}
}
