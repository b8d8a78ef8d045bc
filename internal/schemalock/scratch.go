package schemalock

const (
	// ScratchPrefix begins the names of the schemas in which package migrate/drift builds a reference.
	ScratchPrefix = "pgtenant_scratch_"

	// ScratchComment is the comment on such a schema. It says that the schema may be dropped: the name
	// alone is no proof.
	ScratchComment = "pgtenant: builds a reference, may be dropped"
)
