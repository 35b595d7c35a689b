// Package keystore turns files with certificates and private keys into an [Identity]: one certificate and a crypto.Signer.
//
// [Files] reads PKCS#1, PKCS#8, encrypted PKCS#8 and legacy encrypted PEM keys, and certificate files with or without a chain
// or the key. Everything that can be wrong with such files is found here, before any request is sent, and is a
// [*CertificateError] with the problem, and the command that repairs it.
package keystore
