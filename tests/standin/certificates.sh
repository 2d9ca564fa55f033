#!/bin/sh
# Make a certificate authority and a server certificate for the stand-in in DIR:
#   ca.pem       to trust (x.ca_file)
#   server.pem   certificate and key, for 127.0.0.1, localhost and api.x.com
#   other.pem    certificate and key by the same authority for another host name
#   stranger.pem certificate and key for the right names by an authority that nobody trusts
#   self.pem     certificate and key for the right names, signed by itself
#   expired.pem  certificate and key for the right names by that authority, of a month long ago
set -eu
# Who may write it is asked.
umask 022
dir=${1:?usage: certificates.sh DIR}
mkdir -p "$dir"
cd "$dir"
umask 077

authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}

# What openssl x509 -req cannot make.
expired() { # NAME AUTHORITY SUBJECT-ALTERNATIVE-NAMES
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf '[ca]\ndefault_ca=one\n[one]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\n' >ca.conf
    printf '[any]\ncommonName=supplied\n[leaf]\nsubjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$3" >>ca.conf
    printf 'basicConstraints=CA:FALSE\n' >>ca.conf
    : >index
    echo 4711 >serial
    openssl ca -batch -notext -config ca.conf -extensions leaf -startdate 20200101000000Z -enddate 20200201000000Z \
        -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.crt" 2>/dev/null
    cat "$1.crt" "$1.key" >"$1.pem"
    rm -f "$1.csr" "$1.crt" "$1.key" ca.conf index* serial* 4711.pem
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
expired expired ca "$names"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=self -keyout self.key \
    -out self.crt -addext "subjectAltName=$names" -addext basicConstraints=critical,CA:FALSE 2>/dev/null
cat self.crt self.key >self.pem
rm -f self.crt self.key
rm -f ca.key strange-ca.key strange-ca.pem ./*.srl
