package erp

import "context"

// FeeStructures are the fee structures of the school of the context. It is safe for concurrent
// use if its Querier is.
type FeeStructures struct{ table[FeeStructure] }

// NewFeeStructures returns the fee structures that db reaches.
func NewFeeStructures(db Querier) FeeStructures {
	return FeeStructures{table[FeeStructure]{db: db, noun: feeStructureNoun, columns: feeStructureColumns}}
}

// feeStructureColumns are those of [FeeStructure], in its order.
const feeStructureColumns = "fee_structures.id, class_id, name, term, amount_minor, currency, created_at, updated_at"

// FeeStructureFilter narrows a list of fee structures down. Its zero value does not.
type FeeStructureFilter struct {
	ClassID int64
	Term    string
	Search  string // a part of the name, in any case
}

func (f FeeStructureFilter) conditions() (c conditions) {
	c.id("class_id = ?", f.ClassID)
	c.is("term = ?", f.Term)
	c.search("name", f.Search)
	return c
}

// List returns the fee structures of a page by id, and the After of the next page, or 0 when
// there is none. A page that cannot be is an [InputError].
func (f FeeStructures) List(ctx context.Context, filter FeeStructureFilter, page Page) (structures []FeeStructure, next int64, err error) {
	return f.list(ctx, page, filter.conditions())
}

// Get returns a fee structure, or [ErrNotFound].
func (f FeeStructures) Get(ctx context.Context, id int64) (FeeStructure, error) {
	return f.get(ctx, id)
}

// Create makes a fee structure. Input that is refused, by [NewFeeStructure.Validate] or because
// the class is not there or has one of that name in the term, is an [InputError].
func (f FeeStructures) Create(ctx context.Context, n NewFeeStructure) (FeeStructure, error) {
	insert, err := changing(ctx, f.noun)
	if err != nil {
		return FeeStructure{}, f.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return FeeStructure{}, err
	}
	insert.add(`insert into fee_structures (class_id, name, term, amount_minor, currency)
		select ?, ?, ?, ?, ? where `, n.ClassID, n.Name, n.Term, n.AmountMinor, n.Currency)
	insert.current()
	insert.add(" returning " + f.columns)
	return f.one(ctx, "create", insert)
}

// Update makes a fee structure what n says, and returns it as it is then. Once there are fees of
// it, only its name can change; the rest is an [InputError] with Conflict. Where it is not in that
// version any more the error is [ErrChanged]; others are those of Get and Create.
func (f FeeStructures) Update(ctx context.Context, id int64, version Version, n NewFeeStructure) (FeeStructure, error) {
	update, err := changing(ctx, f.noun)
	if err != nil {
		return FeeStructure{}, f.failed("update", err)
	}
	if err := n.Validate(); err != nil {
		return FeeStructure{}, err
	}
	update.add(`with changed as (update fee_structures set class_id = ?, name = ?, term = ?, amount_minor = ?, currency = ?, `,
		n.ClassID, n.Name, n.Term, n.AmountMinor, n.Currency)
	update.add(touch(f.noun.table) + " where ")
	f.at(update, id, version)
	// The name is on the invoices, so they are others now.
	update.add(" returning *), also as (update fees set " + touch("fees") + " from changed where fees.fee_structure_id = changed.id)")
	update.add(" select " + f.columns + " from changed fee_structures")
	return f.changed(ctx, "update", id, update)
}

// Delete deletes a fee structure. One that has fees stays: that is an [InputError] with Conflict.
// The other errors are those of Update.
func (f FeeStructures) Delete(ctx context.Context, id int64, version Version) error {
	return f.delete(ctx, id, version)
}
