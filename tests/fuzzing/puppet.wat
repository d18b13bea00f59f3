;; Makes the calls that its parameters spell out, whatever they are: any function of the host, with any numbers for pointers, lengths,
;; handles and discriminants. The parameters are a string of hex digits. They decode to 8192 and up: records of 29 words, and behind them
;; whatever the words point to. A record is the call's number, and for each of 14 arguments a kind and a value: the value itself, or the
;; word at that address, which is how a handle that the host has returned is passed on. A record of zero ends the list.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
  (import "host" "complete" (func $complete (param i32 i32 i32 i32)))
  (import "host" "fail" (func $fail (param i32 i32 i32 i32 i32 i32)))
  (import "host" "approve" (func $approve (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "host" "receipt-id" (func $receipt-id (param i32 i32)))
  (import "host" "receipt-document" (func $receipt-document (param i32 i32)))
  (import "host" "deploy" (func $deploy (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "host" "start-sleep" (func $start-sleep (param i32 i32 i32 i32 i64 i32)))
  (import "host" "first" (func $first (param i32 i32 i32)))
  (import "host" "drop-pending" (func $drop-pending (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (import "host" "drop-attempt" (func $drop-attempt (param i32)))
  (import "host" "drop-receipt" (func $drop-receipt (param i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (global $record (mut i32) (i32.const 8192))
  (global $step (mut i32) (i32.const 0))

  (func $nibble (param $at i32) (result i32)
    (local $digit i32)
    (local.set $digit (i32.load8_u (local.get $at)))
    (i32.add (i32.and (local.get $digit) (i32.const 15)) (i32.mul (i32.const 9) (i32.shr_u (local.get $digit) (i32.const 6)))))

  ;; The digits between the quotes, two a byte.
  (func $decode (param $from i32) (param $length i32)
    (local $to i32)
    (local $end i32)
    (local.set $to (i32.const 8192))
    (local.set $end (i32.add (local.get $from) (local.get $length)))
    (local.set $from (i32.add (local.get $from) (i32.const 1)))
    (loop $more
      (if (i32.lt_u (i32.add (local.get $from) (i32.const 2)) (local.get $end)) (then
        (i32.store8 (local.get $to)
          (i32.or (i32.shl (call $nibble (local.get $from)) (i32.const 4)) (call $nibble (i32.add (local.get $from) (i32.const 1)))))
        (local.set $from (i32.add (local.get $from) (i32.const 2)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br $more)))))

  ;; An argument: a number, the word at an address, or (kind 2) the step that was lent.
  (func $a (param $number i32) (result i32)
    (local $at i32)
    (local $value i32)
    (local.set $at (i32.add (i32.add (global.get $record) (i32.const 4)) (i32.mul (local.get $number) (i32.const 8))))
    (local.set $value (i32.load offset=4 (local.get $at)))
    (if (i32.eq (i32.load (local.get $at)) (i32.const 1)) (then (return (i32.load (i32.and (local.get $value) (i32.const 0xffff))))))
    (if (i32.eq (i32.load (local.get $at)) (i32.const 2)) (then (return (global.get $step))))
    (local.get $value))

  (func $four (result i32 i32 i32 i32)
    (call $a (i32.const 0)) (call $a (i32.const 1)) (call $a (i32.const 2)) (call $a (i32.const 3)))

  (func $make (param $call i32)
    (if (i32.eq (local.get $call) (i32.const 1)) (then (call $begin (call $four))))
    (if (i32.eq (local.get $call) (i32.const 2)) (then (call $complete (call $four))))
    (if (i32.eq (local.get $call) (i32.const 3)) (then
      (call $fail (call $four) (call $a (i32.const 4)) (call $a (i32.const 5)))))
    (if (i32.eq (local.get $call) (i32.const 4)) (then
      (call $approve (call $four) (call $a (i32.const 4)) (call $a (i32.const 5)) (call $a (i32.const 6)) (call $a (i32.const 7))
        (call $a (i32.const 8)) (call $a (i32.const 9)) (call $a (i32.const 10)) (call $a (i32.const 11)) (call $a (i32.const 12))
        (call $a (i32.const 13)))))
    (if (i32.eq (local.get $call) (i32.const 5)) (then (call $receipt-id (call $a (i32.const 0)) (call $a (i32.const 1)))))
    (if (i32.eq (local.get $call) (i32.const 6)) (then (call $receipt-document (call $a (i32.const 0)) (call $a (i32.const 1)))))
    (if (i32.eq (local.get $call) (i32.const 7)) (then
      (call $deploy (call $four) (call $a (i32.const 4)) (call $a (i32.const 5)) (call $a (i32.const 6)) (call $a (i32.const 7)))))
    (if (i32.eq (local.get $call) (i32.const 8)) (then (call $drop-step (call $a (i32.const 0)))))
    (if (i32.eq (local.get $call) (i32.const 9)) (then (call $drop-attempt (call $a (i32.const 0)))))
    (if (i32.eq (local.get $call) (i32.const 10)) (then (call $drop-receipt (call $a (i32.const 0)))))
    (if (i32.eq (local.get $call) (i32.const 11)) (then (unreachable)))
    ;; Sleeps of hours, or of no time: nobody's clock moves that far meanwhile.
    (if (i32.eq (local.get $call) (i32.const 14)) (then
      (call $start-sleep (call $four) (i64.mul (i64.extend_i32_u (call $a (i32.const 4))) (i64.const 3600000)) (call $a (i32.const 5)))))
    (if (i32.eq (local.get $call) (i32.const 15)) (then
      (call $first (call $a (i32.const 0)) (call $a (i32.const 1)) (call $a (i32.const 2)))))
    (if (i32.eq (local.get $call) (i32.const 16)) (then (call $drop-pending (call $a (i32.const 0)))))
    (if (i32.eq (local.get $call) (i32.const 13)) (then (call $leave-out (call $a (i32.const 0)) (call $a (i32.const 1))))))

  ;; Goes on so many records further down where the step whose beginning was answered at that address was done before.
  (func $leave-out (param $answer i32) (param $records i32)
    (local.set $answer (i32.and (local.get $answer) (i32.const 0xffff)))
    (if (i32.eqz (i32.or (i32.load8_u (local.get $answer)) (i32.load8_u offset=4 (local.get $answer)))) (then
      (global.set $record (i32.add (global.get $record) (i32.mul (i32.and (local.get $records) (i32.const 7)) (i32.const 116)))))))

  ;; Call 12 returns, with any number for the result's address.
  (func (export "run") (param $payload i32) (param $length i32) (param i64 i32 i32 i32 i32) (param $lent i32) (result i32)
    (local $call i32)
    (global.set $step (local.get $lent))
    (call $decode (local.get $payload) (local.get $length))
    (loop $next
      (local.set $call (i32.load (global.get $record)))
      (if (i32.eq (local.get $call) (i32.const 12)) (then (return (call $a (i32.const 0)))))
      (if (local.get $call) (then
        (call $make (local.get $call))
        (global.set $record (i32.add (global.get $record) (i32.const 116)))
        (br $next))))
    (i32.const 16)))
