// Package blobstore stores backups in S3, Google Cloud Storage, Azure Blob Storage, or any other
// provider of gocloud.dev/blob. It is a separate module, so that programs without it do not depend
// on the providers' clients.
//
//	// import _ "gocloud.dev/blob/s3blob"
//	bucket, err := blob.OpenBucket(ctx, "s3://backups?region=eu-central-1")
//	store, err := blobstore.New(bucket, blobstore.Config{})
//	backups, err := backup.New(backup.Config{Store: store, ...})
//
// # Incomplete uploads
//
// An archive is uploaded in parts. It exists as a whole after the last part is committed, or not at
// all. A crash during an upload to S3 leaves parts that no listing shows and that cost money. Give
// the bucket a lifecycle rule that aborts incomplete multipart uploads after a day.
//
// # Protection against deletion
//
// Archives that must survive an intrusion need a bucket with versioning or object lock, and
// credentials that cannot disable it. Encryption for recipients ([backup.Config]) does not depend
// on the provider.
//
// Such a bucket also keeps what an erasure has deleted ([backup.Service.Erase]). Listings do not
// contain older versions, and the certificate does not mention them. Give the bucket a lifecycle
// rule that deletes them in time.
package blobstore
