#ifndef TAPEDECK_TESTS_KAFKA_CLUSTERS_H_
#define TAPEDECK_TESTS_KAFKA_CLUSTERS_H_

// The clusters of the conformance suite.

#include "kafka/source_conformance.h"

namespace tapedeck {

/// librdkafka's mock cluster with three brokers, one per process.
ClusterKind MockKind();
/// A real Apache Kafka, one per process.
ClusterKind RealKind();

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_KAFKA_CLUSTERS_H_
