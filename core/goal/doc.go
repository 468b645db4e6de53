// Package goal counts which clients reach a goal, by the variant that they were shown, and says how the variants differ.
//
// # Clients
//
// A [Sample] knows clients by a hash of what identifies them. Each is counted once, however often he comes, and through
// whichever gateway: samples of several gateways are merged by these hashes. Of more clients than there is room for, those
// are kept whose hash lies in a part of its range, which is halved whenever the room is used up (adaptive distinct
// sampling: P. Gibbons, VLDB 2001, 541-550). Which clients these are has nothing to do with what they do, or which variant
// they get, so shares are those of all clients, and only less exact.
//
// A client belongs to the variant that he was shown first. Who is shown another one later is left out of what is
// compared, and counted as mixed: nobody could say which of the two made him reach a goal.
//
// # Periods
//
// What is compared are clients among whom chance alone decided. That holds as long as the weights stay as they are: where
// they change, those who move are other clients than those who stay. So each change begins a new [Period], and what was
// counted before is kept as it was.
//
// # Intervals
//
// Shares have the interval of E. Wilson (J. Am. Stat. Assoc. 22, 1927, 209-212), which is right for one look at them.
//
// The difference to the baseline has an interval that stays right however often it is looked at, because people do look,
// and stop when they like what they see: a confidence sequence, here an asymptotic one with the boundary of a normal
// mixture (H. Robbins, Ann. Math. Stat. 41, 1970, 1397-1409; I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy, A. Ramdas,
// Ann. Stat. 52, 2024, 2613-2640). With several variants beside the baseline each gets its part of the level (Bonferroni).
package goal
