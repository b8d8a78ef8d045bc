package erp

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// FeeStructures stores the fee structures of the school of the context. It is safe for concurrent
// use if its [Querier] is.
type FeeStructures struct{ table[FeeStructure] }

// NewFeeStructures returns the store of fee structures on db.
func NewFeeStructures(db Querier) FeeStructures {
	return FeeStructures{table[FeeStructure]{
		db: db, entity: feeStructureEntity, columns: always(feeStructureColumns),
	}}
}

// feeStructureColumns are the columns of [FeeStructure], in the order of its fields.
const feeStructureColumns = "fee_structures.id, class_id, name, term, amount_minor, currency, created_at, updated_at"

// FeeStructureFilter limits a list of fee structures. The zero value does not limit it.
type FeeStructureFilter struct {
	ClassID int64
	Term    string
	Search  string // a part of the name, case-insensitive
}

func (f FeeStructureFilter) filter(access) (where filter) {
	where.id("class_id = @class_id", "class_id", f.ClassID)
	where.text("term = @term", "term", f.Term)
	where.search("name", f.Search)
	return where
}

// List returns a page of fee structures by id, and the After of the next page, or 0 if there is
// none. If page is invalid, the error is an [InputError].
func (f FeeStructures) List(
	ctx context.Context, filter FeeStructureFilter, page Page,
) (structures []FeeStructure, next int64, err error) {
	return f.list(ctx, page, filter.filter)
}

// Get returns a fee structure, or [ErrNotFound].
func (f FeeStructures) Get(ctx context.Context, id int64) (FeeStructure, error) {
	return f.get(ctx, id)
}

// Create adds a fee structure. If [NewFeeStructure.Validate] refuses n, the class does not exist,
// or the class has a structure of that name in the term, the error is an [InputError].
func (f FeeStructures) Create(ctx context.Context, n NewFeeStructure) (FeeStructure, error) {
	a, err := mayChange(ctx, f.entity)
	if err != nil {
		return FeeStructure{}, f.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return FeeStructure{}, err
	}
	return f.one(ctx, "create", a, `
		insert into fee_structures (class_id, name, term, amount_minor, currency)
		select @class_id, @name, @term, @amount_minor, @currency where `+a.session()+`
		returning `+feeStructureColumns, n.args())
}

// Update replaces the fields of a fee structure with n, and returns the structure. Once it has
// fees, only its name can change: other changes are an [InputError] with Conflict. If the structure
// has another version, the error is [ErrChanged]; the other errors are those of Get and Create.
func (f FeeStructures) Update(
	ctx context.Context, id int64, version Version, n NewFeeStructure,
) (FeeStructure, error) {
	a, err := mayChange(ctx, f.entity)
	if err != nil {
		return FeeStructure{}, f.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return FeeStructure{}, err
	}
	// Invoices show the name of the structure, so they have a new version.
	return f.changed(ctx, "update", a, id, version, `
		with changed as (
			update fee_structures set class_id = @class_id, name = @name, term = @term,
				amount_minor = @amount_minor, currency = @currency, `+touch("fee_structures")+`
			where `+f.target(a, version)+` returning *
		), updated as (
			update fees set `+touch("fees")+` from changed where fees.fee_structure_id = changed.id
		)
		select `+feeStructureColumns+" from changed fee_structures", n.args())
}

func (n NewFeeStructure) args() pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{
		"class_id": n.ClassID, "name": n.Name, "term": n.Term, "amount_minor": n.AmountMinor, "currency": n.Currency,
	}
}

// Delete deletes a fee structure. If it has fees, the error is an [InputError] with Conflict. The
// other errors are those of Update.
func (f FeeStructures) Delete(ctx context.Context, id int64, version Version) error {
	return f.delete(ctx, id, version, "")
}
