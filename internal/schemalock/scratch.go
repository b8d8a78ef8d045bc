package schemalock

const (
	// ScratchPrefix is the prefix of the schemas in which package migrate/drift builds a reference.
	ScratchPrefix = "pgtenant_scratch_"

	// ScratchComment is the comment on such a schema. It permits dropping the schema; the name alone
	// does not.
	ScratchComment = "pgtenant: builds a reference, may be dropped"
)
