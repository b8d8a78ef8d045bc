// Package archive is the file format of a tenant's backup: a tar stream that holds data, and never SQL.
//
//	w, err := archive.NewWriter(file, header, archive.WriterOptions{Recipients: recipients})
//	t, err := w.Table("students") // in the order of header.Tables
//	...                           // COPY ... TO STDOUT (FORMAT csv, HEADER) into t
//	err = t.Close(rows)
//	manifest, err := w.Close()
//
//	r, err := archive.NewReader(file, archive.ReaderOptions{Identities: identities})
//	for {
//		t, err := r.Next()
//		if err == io.EOF {
//			break // the manifest has been verified
//		}
//		... // COPY ... FROM STDIN (FORMAT csv, HEADER) out of t
//	}
//
// FORMAT.md beside package backup describes the entries. What they are made of is what everybody has: tar, zstd, CSV and
// JSON, and age around it all where there are recipients.
//
// # Trust
//
// A [Reader] takes its input to be hostile: it accepts the entries of the format under their exact names and in their exact order,
// with sizes within [Limits], and holds a part in memory at a time. Nothing that a table's rows say is known to be what was
// written before [Reader.Next] has returned io.EOF.
//
// The manifest's checksums find what was damaged. Who wrote an archive they do not say, and encryption does not either, as anybody
// may encrypt to a recipient: that takes [WriterOptions].SigningKey, and [ReaderOptions].TrustedKeys.
//
// # Memory
//
// Both directions work part by part ([DefaultPartSize]), and hold a few of them whatever the size of a table.
package archive
