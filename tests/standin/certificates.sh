#!/bin/sh
# Make a certificate authority and a server certificate for the stand-in in DIR:
#   ca.pem       to trust (x.ca_file)
#   server.pem   certificate and key, for 127.0.0.1, localhost and api.x.com
#   other.pem    certificate and key by the same authority for another host name
#   stranger.pem certificate and key for the right names by an authority that nobody trusts
set -eu
dir=${1:?usage: certificates.sh DIR}
mkdir -p "$dir"
cd "$dir"
umask 077

authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}

certificate() { # NAME AUTHORITY SUBJECT-ALTERNATIVE-NAMES
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 30 \
        -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    cat "$1.crt" "$1.key" >"$1.pem"
    rm -f "$1.csr" "$1.ext" "$1.crt" "$1.key"
}

names=IP:127.0.0.1,DNS:localhost,DNS:api.x.com
authority ca
authority strange-ca
certificate server ca "$names"
certificate other ca DNS:elsewhere.example
certificate stranger strange-ca "$names"
rm -f ca.key strange-ca.key strange-ca.pem ./*.srl
