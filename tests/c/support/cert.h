/* A self-signed certificate and its key as PEM files, made anew for each run.
 *
 * Include <cmocka.h> before this. */
#ifndef RT_TESTS_CERT_H
#define RT_TESTS_CERT_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct rt_test_cert {
    char dir[64];
    char cert[96]; /* path */
    char key[96];  /* path */
} rt_test_cert;

static inline EVP_PKEY *rt_test_new_key(void) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static inline void rt_test_add_extension(X509 *x, int nid, const char *value) {
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* `names` is a subjectAltName as OpenSSL writes it: "DNS:localhost,IP:127.0.0.1". */
static inline void rt_test_cert_make(rt_test_cert *c, const char *names) {
    snprintf(c->dir, sizeof c->dir, "/tmp/rt-cert-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    snprintf(c->cert, sizeof c->cert, "%s/cert.pem", c->dir);
    snprintf(c->key, sizeof c->key, "%s/key.pem", c->dir);
    EVP_PKEY *key = rt_test_new_key();
    X509 *x = X509_new();
    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    rt_test_add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    rt_test_add_extension(x, NID_subject_alt_name, names);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(c->cert, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    assert_int_equal(fclose(f), 0);
    f = fopen(c->key, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
    X509_free(x);
    EVP_PKEY_free(key);
}

static inline void rt_test_cert_remove(rt_test_cert *c) {
    unlink(c->cert);
    unlink(c->key);
    assert_int_equal(rmdir(c->dir), 0);
}

#endif
