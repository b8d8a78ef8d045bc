package erp

// noun is a table of the school and what one row of it is called.
type noun struct{ table, singular string }

var (
	userNoun    = noun{"users", "user"}
	classNoun   = noun{"classes", "class"}
	teacherNoun = noun{"teachers", "teacher"}
	parentNoun  = noun{"parents", "parent"}
	studentNoun = noun{"students", "student"}

	feeStructureNoun = noun{"fee_structures", "fee structure"}
	feeNoun          = noun{"fees", "fee"}
	paymentNoun      = noun{"payments", "payment"}
)

// rule is who may do what with the rows of a table.
type rule struct {
	// see has, by role, the condition for the rows that a viewer sees: SQL on the table, with @me for the viewer's user.
	// A role that is not there sees none, ever. Other roles' rows are as if they did not exist.
	see map[Role]string

	// change has the roles that may create rows, and update and delete those that they see.
	change []Role
}

const everything = "true"

// Conditions that several rules are made of.
const (
	taughtClasses   = "select ct.class_id from class_teachers ct join teachers t on t.id = ct.teacher_id where t.user_id = @me"
	ownChildren     = "select sp.student_id from student_parents sp join parents p on p.id = sp.parent_id where p.user_id = @me"
	childrenClasses = "select s.class_id from students s where s.id in (" + ownChildren + ")"
	ownSelf         = "select s.id from students s where s.user_id = @me"
	ownClass        = "select s.class_id from students s where s.user_id = @me"
	teachersOf      = "teachers.id in (select ct.teacher_id from class_teachers ct where ct.class_id in "
)

// rules is the one place that decides what anybody sees. Every statement of every store gets its condition from here.
var rules = map[noun]rule{
	studentNoun: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleTeacher: "students.class_id in (" + taughtClasses + ")",
			RoleParent:  "students.id in (" + ownChildren + ")",
			RoleStudent: "students.user_id = @me",
			RoleVisitor: everything,
		},
		change: []Role{RoleAdmin},
	},
	classNoun: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleTeacher: "classes.id in (" + taughtClasses + ")",
			RoleParent:  "classes.id in (" + childrenClasses + ")",
			RoleStudent: "classes.id in (" + ownClass + ")",
			RoleVisitor: everything,
		},
		change: []Role{RoleAdmin},
	},
	teacherNoun: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleTeacher: everything, // colleagues
			RoleParent:  teachersOf + "(" + childrenClasses + "))",
			RoleStudent: teachersOf + "(" + ownClass + "))",
			RoleVisitor: everything,
		},
		change: []Role{RoleAdmin},
	},
	parentNoun: {
		see: map[Role]string{
			RoleAdmin: everything,
			RoleTeacher: "parents.id in (select sp.parent_id from student_parents sp join students s on s.id = sp.student_id" +
				" where s.class_id in (" + taughtClasses + "))",
			RoleParent:  "parents.user_id = @me",
			RoleStudent: "parents.id in (select sp.parent_id from student_parents sp join students s on s.id = sp.student_id where s.user_id = @me)",
		},
		change: []Role{RoleAdmin},
	},
	userNoun: {
		see:    map[Role]string{RoleAdmin: everything},
		change: []Role{RoleAdmin},
	},
	feeStructureNoun: {
		see:    map[Role]string{RoleAdmin: everything},
		change: []Role{RoleAdmin},
	},
	feeNoun: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleParent:  "fees.student_id in (" + ownChildren + ")",
			RoleStudent: "fees.student_id in (" + ownSelf + ")",
		},
		change: []Role{RoleAdmin},
	},
	paymentNoun: {
		see: map[Role]string{
			RoleAdmin:   everything,
			RoleParent:  "payments.fee_id in (select f.id from fees f where f.student_id in (" + ownChildren + "))",
			RoleStudent: "payments.fee_id in (select f.id from fees f where f.student_id in (" + ownSelf + "))",
		},
		change: []Role{RoleAdmin},
	},
}

// current is the condition that a viewer's session is still good.
const current = "exists (select from users me where " + currentUser + ")"

// currentHeld is current, and that it stays so until the statement is done. It is for changes of users: of two admins who
// dismiss each other at once only one can.
const currentHeld = "exists (select from users me where " + currentUser + " for share of me)"

// currentUser has the viewer's UserID, Generation and Role for each ?.
const currentUser = "me.id = ? and me.session_generation = ? and me.role = ? and me.disabled_at is null"
