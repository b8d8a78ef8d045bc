package erp

// entity is a table of the school and the word for one of its rows.
type entity struct{ table, singular string }

var (
	userEntity    = entity{"users", "user"}
	classEntity   = entity{"classes", "class"}
	teacherEntity = entity{"teachers", "teacher"}
	parentEntity  = entity{"parents", "parent"}
	studentEntity = entity{"students", "student"}

	feeStructureEntity = entity{"fee_structures", "fee structure"}
	feeEntity          = entity{"fees", "fee"}
	paymentEntity      = entity{"payments", "payment"}
)

// rule says what each role may do with the rows of a table.
type rule struct {
	// see has, by role, the condition for the rows that a viewer sees: SQL on the table, in which
	// @viewer_id is the viewer's user. A role without a condition sees no row. A row that a viewer
	// does not see is reported as not found.
	see map[Role]string

	// change lists the roles that may create rows, and update and delete the rows that they see.
	change []Role
}

const everything = "true"

// Conditions that several rules are made of.
const (
	taughtClasses = "select ct.class_id from class_teachers ct join teachers t on t.id = ct.teacher_id" +
		" where t.user_id = @viewer_id"
	ownChildren = "select sp.student_id from student_parents sp join parents p on p.id = sp.parent_id" +
		" where p.user_id = @viewer_id"
	childrenClasses = "select s.class_id from students s where s.id in (" + ownChildren + ")"
	ownSelf         = "select s.id from students s where s.user_id = @viewer_id"
	ownClass        = "select s.class_id from students s where s.user_id = @viewer_id"
	teachersOf      = "teachers.id in (select ct.teacher_id from class_teachers ct where ct.class_id in "
)

// rules is the one place that decides who sees what. Every statement of every store takes its
// condition from it, through [access].
var rules = map[entity]rule{
	studentEntity: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleTeacher: "students.class_id in (" + taughtClasses + ")",
			RoleParent:  "students.id in (" + ownChildren + ")",
			RoleStudent: "students.user_id = @viewer_id",
			RoleVisitor: everything,
		},
		change: []Role{RoleAdmin},
	},
	classEntity: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleTeacher: "classes.id in (" + taughtClasses + ")",
			RoleParent:  "classes.id in (" + childrenClasses + ")",
			RoleStudent: "classes.id in (" + ownClass + ")",
			RoleVisitor: everything,
		},
		change: []Role{RoleAdmin},
	},
	teacherEntity: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleTeacher: everything, // colleagues
			RoleParent:  teachersOf + "(" + childrenClasses + "))",
			RoleStudent: teachersOf + "(" + ownClass + "))",
			RoleVisitor: everything,
		},
		change: []Role{RoleAdmin},
	},
	parentEntity: {
		see: map[Role]string{
			RoleAdmin: everything,
			RoleTeacher: "parents.id in (select sp.parent_id from student_parents sp join students s on s.id = sp.student_id" +
				" where s.class_id in (" + taughtClasses + "))",
			RoleParent: "parents.user_id = @viewer_id",
			RoleStudent: "parents.id in (select sp.parent_id from student_parents sp join students s on s.id = sp.student_id" +
				" where s.user_id = @viewer_id)",
		},
		change: []Role{RoleAdmin},
	},
	userEntity: {
		see:    map[Role]string{RoleAdmin: everything},
		change: []Role{RoleAdmin},
	},
	feeStructureEntity: {
		see:    map[Role]string{RoleAdmin: everything},
		change: []Role{RoleAdmin},
	},
	feeEntity: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleParent:  "fees.student_id in (" + ownChildren + ")",
			RoleStudent: "fees.student_id in (" + ownSelf + ")",
		},
		change: []Role{RoleAdmin},
	},
	paymentEntity: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleParent:  "payments.fee_id in (select f.id from fees f where f.student_id in (" + ownChildren + "))",
			RoleStudent: "payments.fee_id in (select f.id from fees f where f.student_id in (" + ownSelf + "))",
		},
		change: []Role{RoleAdmin},
	},
}

// sessionValid is the condition that the viewer's session is valid: the user exists, is not
// disabled, and has the role and the generation of the session.
const sessionValid = "exists (select from users me where " + sessionUser + ")"

// sessionLocked is sessionValid, and keeps it true until the statement ends. Changes of users need
// it: if two admins disable each other at the same time, one of them fails.
const sessionLocked = "exists (select from users me where " + sessionUser + " for share of me)"

const sessionUser = "me.id = @viewer_id and me.session_generation = @viewer_generation and me.role = @viewer_role" +
	" and me.disabled_at is null"
