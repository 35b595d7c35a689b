#!/usr/bin/env bash
# Makes the key stores of this folder, stores/, in the forms that OpenSSL 3, keytool and Firefox (NSS) write: for the tests of this package, which
# use those that are committed, and for `.ci/integration keys`, which makes all of them anew with the tools that are installed.
#
#   make.sh [FOLDER]      default: stores, beside this file
#
# Passwords: changeit for stores, keypass1 for keys that have one of their own. The keys sign nothing but tests.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-stores}
mkdir -p "$out"
cd "$out"
rm -f -- *.p12 *.jks *.jceks *.pem
export LC_ALL=C.UTF-8 JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
quiet() { "$@" >make.log 2>&1 || { cat make.log >&2; exit 1; }; }
subject() { echo "/O=Example/CN=$1"; }

# An authority, one below it, and two users with certificates of the latter.
issue() { # NAME COMMON-NAME SIGNER EXTENSIONS...
	local name=$1 cn=$2 signer=$3
	shift 3
	openssl req -new -newkey rsa:2048 -nodes -keyout "$name.key.pem" -subj "$(subject "$cn")" -out request.tmp 2>/dev/null
	printf '%s\n' "$@" >extensions.tmp
	if [ -z "$signer" ]; then
		quiet openssl x509 -req -in request.tmp -signkey "$name.key.pem" -days 36500 -extfile extensions.tmp -out "$name.pem"
	else
		quiet openssl x509 -req -in request.tmp -CA "$signer.pem" -CAkey "$signer.key.pem" -CAcreateserial -days 36500 -extfile extensions.tmp -out "$name.pem"
	fi
}
user=(keyUsage=critical,digitalSignature extendedKeyUsage=clientAuth,emailProtection crlDistributionPoints=URI:http://crl.example.com/ca.crl)
issue root "Example Root" "" basicConstraints=critical,CA:true keyUsage=critical,keyCertSign,cRLSign
issue authority "Example Authority" root basicConstraints=critical,CA:true keyUsage=critical,keyCertSign,cRLSign
issue user "Batch User" authority "${user[@]}" subjectAltName=email:batch.user@example.com
issue second "Second User" authority "${user[@]}" subjectAltName=email:second.user@example.com
cat root.pem authority.pem >chain.pem # the wrong way round, as it often is

# OpenSSL's forms.
p12() { # FILE OPTIONS...
	local file=$1
	shift
	quiet openssl pkcs12 -export -in user.pem -inkey user.key.pem -certfile chain.pem -name "Batch Prod" -passout pass:changeit -out "$file" "$@"
}
p12 modern.p12
p12 legacy.p12 -legacy
p12 des.p12 -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1
p12 des2.p12 -legacy -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-RC2-128 -macalg sha1
p12 rc4.p12 -legacy -certpbe PBE-SHA1-RC4-128 -macalg sha1
p12 aes128.p12 -keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha512 -iter 5000
p12 pbes2-3des.p12 -keypbe DES-EDE3-CBC -certpbe DES-EDE3-CBC -macalg sha384
p12 no-password.p12 -passout pass:
p12 plain.p12 -nomac -keypbe NONE -certpbe NONE -passout pass:
p12 plain-mac.p12 -keypbe NONE -certpbe NONE
p12 no-mac.p12 -nomac
p12 key-only-encrypted.p12 -nomac -certpbe NONE
p12 no-iterations.p12 -nomaciter -noiter
p12 umlaut.p12 -passout 'pass:pässwört€😀'
quiet openssl pkcs12 -export -in user.pem -inkey user.key.pem -passout pass:changeit -out unnamed.p12
quiet openssl pkcs12 -export -in user.pem -nokeys -passout pass:changeit -out no-key.p12
quiet openssl pkcs12 -export -inkey user.key.pem -nocerts -name alone -passout pass:changeit -out no-certificate.p12
quiet openssl pkcs12 -export -in second.pem -inkey second.key.pem -certfile chain.pem -name second -passout pass:changeit -out second.tmp

# keytool's.
import() { # FILE TYPE SOURCE ALIAS NEW-ALIAS [OPTIONS...]
	local file=$1 type=$2 from=$3 alias=$4 new=$5
	shift 5
	quiet keytool -importkeystore -noprompt -srckeystore "$from" -srcstorepass changeit -srcalias "$alias" \
		-destkeystore "$file" -deststoretype "$type" -deststorepass changeit -destalias "$new" "$@"
}
trust() { # FILE TYPE ALIAS
	quiet keytool -importcert -noprompt -file root.pem -alias "$3" -keystore "$1" -storetype "$2" -storepass changeit
}
import anaplan.jks JKS modern.p12 "Batch Prod" AnaplanKey -destkeypass keypass1 # as users of Anaplan Connect have it
import one-password.jks JKS modern.p12 "Batch Prod" anaplan -destkeypass changeit
import pkcs12.jks PKCS12 modern.p12 "Batch Prod" anaplan
import keytool-legacy.p12 PKCS12 modern.p12 "Batch Prod" anaplan -J-Dkeystore.pkcs12.legacy
import store.jceks JCEKS modern.p12 "Batch Prod" anaplan -destkeypass keypass1
for form in jks:JKS p12:PKCS12; do
	file=several.${form%:*} type=${form#*:}
	trust "$file" "$type" root
	import "$file" "$type" modern.p12 "Batch Prod" prod
	import "$file" "$type" second.tmp second Second
	file=trust.${form%:*}
	trust "$file" "$type" root
	file=empty.${form%:*}
	trust "$file" "$type" root
	quiet keytool -delete -alias root -keystore "$file" -storetype "$type" -storepass changeit
done
quiet keytool -genkeypair -keyalg RSA -keysize 2048 -validity 36500 -dname "CN=Made by keytool, O=Example" -ext SAN=email:batch.user@example.com \
	-alias mykey -keystore generated.p12 -storepass changeit
quiet keytool -genkeypair -keyalg EC -groupname secp256r1 -validity 36500 -dname "CN=Elliptic" -alias ec -keystore elliptic.jks -storetype JKS -storepass changeit -keypass changeit
quiet keytool -genkeypair -keyalg DSA -keysize 2048 -validity 36500 -dname "CN=Dsa" -alias dsa -keystore dsa.jks -storetype JKS -storepass changeit -keypass changeit
import secret.p12 PKCS12 modern.p12 "Batch Prod" anaplan
quiet keytool -genseckey -keyalg AES -keysize 256 -alias secret -keystore secret.p12 -storepass changeit
STOREPASS='pässwört€' quiet keytool -importkeystore -noprompt -srckeystore modern.p12 -srcstorepass changeit -srcalias "Batch Prod" -destkeystore umlaut.jks -deststoretype JKS \
	-deststorepass:env STOREPASS -destkeypass:env STOREPASS -destalias anaplan

# What Firefox writes, by its library: in BER.
mkdir nss.tmp
quiet certutil -N -d sql:nss.tmp --empty-password
quiet pk12util -i modern.p12 -d sql:nss.tmp -W changeit -K ''
quiet pk12util -o firefox.p12 -n "Batch Prod" -d sql:nss.tmp -W changeit -K ''
quiet pk12util -o firefox-legacy.p12 -n "Batch Prod" -d sql:nss.tmp -W 'pässwört€😀' -K '' \
	-c 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' -C 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC'

openssl base64 -in pkcs12.jks -out pkcs12.base64
rm -rf -- *.tmp *.srl make.log chain.pem
chmod 600 -- *
