/** Self-signed certificates for names, and their keys. For tests only; valid for a century. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './temporary-folder.js'

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** Two files of its own for the test that runs, which it may change. */
export function certificateFiles({ cert, key }: { readonly cert: string; readonly key: string }): CertificateFiles {
  const folder = temporaryFolder()
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  writeFileSync(files.certFile, cert)
  writeFileSync(files.keyFile, key)
  return files
}

/** For one.example. */
export const oneExample = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUElP5IkvvyEmyQIdfRJPkCmqF4d0wCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLb25lLmV4YW1wbGUwIBcNMjYxMTIxMTUzMjQ5WhgPMjEyNjEw
MjgxNTMyNDlaMBYxFDASBgNVBAMMC29uZS5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEN4zaMnSu1fttlLE5cX9SeBGu6i+L4cloeNFZ4t20QfL+Fvnk
zgAopok7ihVcu8y32djK9prOoIfrPYTru+/OFaNrMGkwHQYDVR0OBBYEFKzpJEv+
Sg2vQjSOZ3BGqrhXAu6yMB8GA1UdIwQYMBaAFKzpJEv+Sg2vQjSOZ3BGqrhXAu6y
MA8GA1UdEwEB/wQFMAMBAf8wFgYDVR0RBA8wDYILb25lLmV4YW1wbGUwCgYIKoZI
zj0EAwIDRwAwRAIgAf4YldeAMlu67WsIKcixKRDC9FyP7S/WINVRdDuM+aECIAUp
uPOXIMRXcNBaoAtC+XRy8RKfWToTal4MEc7xrJVl
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgozfx2Onbm5pBuqgU
DpxaqDfxYveqtMMomLcL7ao3/TWhRANCAAQ3jNoydK7V+22UsTlxf1J4Ea7qL4vh
yWh40Vni3bRB8v4W+eTOACimiTuKFVy7zLfZ2Mr2ms6gh+s9hOu7784V
-----END PRIVATE KEY-----`,
} as const

/** For two.example and *.two.example. */
export const twoExample = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBqjCCAVCgAwIBAgIUb962OoapzZlGkbucEWGBLgqLG2MwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLdHdvLmV4YW1wbGUwIBcNMjYxMTIxMTUzMjQ5WhgPMjEyNjEw
MjgxNTMyNDlaMBYxFDASBgNVBAMMC3R3by5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEAGPQx5YeWF6P8Mu+GS2AlSPdESRoqm4HaNJmePtlE4qdWftT
GyTHTY76yqnnSH0T+UuykUM+S1r0f2MHUcSqb6N6MHgwHQYDVR0OBBYEFJ9CSCrv
kHHAlwf7Ypc/AJ4O4N0+MB8GA1UdIwQYMBaAFJ9CSCrvkHHAlwf7Ypc/AJ4O4N0+
MA8GA1UdEwEB/wQFMAMBAf8wJQYDVR0RBB4wHIILdHdvLmV4YW1wbGWCDSoudHdv
LmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIgHN7O+UN8+mkIQMMFGPJEhCQ7BP2F
72fKodctlw58DvsCIQC9Dz6oFPC5blJN+hsSP94HP9TFCQfpMZF69JpqtA8TMg==
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAIR1X2WKJj8VKZUh
ktuj+JlR647GalGej4xIPek3O8+hRANCAAQAY9DHlh5YXo/wy74ZLYCVI90RJGiq
bgdo0mZ4+2UTip1Z+1MbJMdNjvrKqedIfRP5S7KRQz5LWvR/YwdRxKpv
-----END PRIVATE KEY-----`,
} as const
