// Package blobstore keeps backups in S3, Google Cloud Storage, Azure, or whatever else gocloud.dev/blob reaches. It is a module of its own, so
// that a program without it has none of their clients.
//
//	bucket, err := blob.OpenBucket(ctx, "s3://backups?region=eu-central-1") // with _ "gocloud.dev/blob/s3blob"
//	store, err := blobstore.New(bucket, blobstore.Config{})
//	backups, err := backup.New(backup.Config{Store: store, ...})
//
// An archive is uploaded in parts and is there when the last one is committed, as a whole or not at all. What a crash leaves of an upload to
// S3 are parts that no listing shows and that cost money: give the bucket a rule that aborts incomplete multipart uploads after a day.
//
// Archives that must outlive a break-in need a bucket that keeps versions or locks objects, and a key that cannot undo that. Encryption to
// recipients ([backup.Config]) does not depend on the provider.
//
// Such a bucket also keeps what an erasure has removed ([backup.Service.Erase]): older versions are in no listing, and the certificate knows nothing
// of them. Give it a rule that removes them in time.
package blobstore
